// tools/ebla/reports/progress.h
// How far a long verb is, for a person who waits: "12000 records, 24000/s, 40%, 8s left". Pure.
// Place:   verbs_file.cc shows it while load and dump run.
// Threads: functions of their arguments.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace ebla::shell {

// `part` of all, from 0 to 1; none if the whole is unknown. The time left follows from the rate so far.
std::string ProgressText(uint64_t records, std::chrono::milliseconds elapsed, std::optional<double> part = {});

}  // namespace ebla::shell
