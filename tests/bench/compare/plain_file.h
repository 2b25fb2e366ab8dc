// tests/bench/compare/plain_file.h
// One writer that appends to a file and has it on the disk each time: what no log can do without.
// Threads: a function, which blocks.
#pragma once

#include <string>

#include "tests/bench/compare/figures.h"

namespace ebla::bench {

// Of 1 KB each. The file is made.
Figure MeasureAppends(const std::string& file, Duration each);

}  // namespace ebla::bench
