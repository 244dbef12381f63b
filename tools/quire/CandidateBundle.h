// CandidateBundle: one operator under many schedules, to be checked and measured on a machine without a
// compiler. `quire tune` makes the folder, `quire bench candidates` measures it:
//
//   bundle.json   {"format": 1, "operator", "target", "uses": [...], "candidates": [...], "check": {...}}
//   N.plan        the operator under one schedule
//   check.bin     inputs of the steps to check, and what some of their results must be
//   results.json  what was measured, see BenchCandidatesCommand.cpp
//
// A use is a step of `sequences` with `queries` new tokens each behind `context` others. A candidate
// has its plan, its name and the indices of its uses. The check has `tolerance` and `steps`: tokens of
// each sequence, the place of the inputs (in the order of the plan's inputs, bits of their element type,
// row after row), and the place of `rows` x `columns` values (f32, little-endian) that the first output
// must have there.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace quire::cli {

struct CandidateUse {
  uint32_t sequences = 1, queries = 1, context = 0;
  uint32_t tokens() const { return sequences * queries; }
};

struct Candidate {
  std::string name, plan; ///< plan: a path
  std::vector<uint32_t> uses;
};

struct CheckStep {
  std::vector<uint32_t> tokens; ///< new tokens of every sequence, 0: not in this step
  uint64_t inputs = 0;          ///< byte of check.bin
  std::vector<uint32_t> rows, columns;
  uint64_t expected = 0; ///< likewise
};

struct CandidateBundle {
  std::string folder, name;
  std::vector<CandidateUse> uses;
  std::vector<Candidate> candidates;
  std::vector<CheckStep> steps;
  double tolerance = 0; ///< of ||error|| / ||expected||
  std::vector<uint8_t> checkBytes;

  /// Errors: NotFound and Io for files, Corrupt for what they say.
  static Result<CandidateBundle> read(const std::string &folder);
};

} // namespace quire::cli
