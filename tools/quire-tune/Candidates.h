// From a subject to a bundle of compiled candidates (tools/quire/CandidateBundle.h): which schedules are
// worth a try in which step, their plans, and what they must compute.
#pragma once

#include "tools/quire-tune/Subject.h"

#include <functional>
#include <set>

namespace quire::tune {

struct Candidate {
  schedule::Choice choice;
  std::set<uint32_t> uses; ///< the steps that it is to be timed in
};

/// The choice that the compiler makes for a step when nobody says otherwise, as a variant of its own.
schedule::Choice defaultChoice(const Subject &subject, const Use &use);

/// For each step the compiler's own choice and the `count` best by prediction, few of one kind. The
/// compiler's choices come first.
std::vector<Candidate> chooseCandidates(const Subject &subject, unsigned count, double cores);

struct Prepared {
  size_t legal = 0;                  ///< schedules of the kernel
  size_t compiled = 0, refused = 0;  ///< candidates
  std::string lastRefusal;           ///< one of them and why
  double seconds = 0;
};

/// Compiles the candidates of `subject` into `folder`, side by side, and writes the bundle. Those that
/// the back end refuses are left out and counted. `progress` is called from one thread at a time.
Result<Prepared> prepareBundle(const Subject &subject, const Options &options,
                               const std::string &folder,
                               const std::function<void(size_t done, size_t total)> &progress);

} // namespace quire::tune
