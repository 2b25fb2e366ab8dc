// tests/bench/compare/plain_file.h
// One writer that appends to a file and has it on the disk each time: what no log can do without.
// Threads: a function, which blocks.
#pragma once

#include <string>

#include "tests/bench/compare/figures.h"

namespace ebla::bench {

// Appends of 1 KB each. Creates the file.
Figure MeasureAppends(const std::string& file, Duration each);

}  // namespace ebla::bench
