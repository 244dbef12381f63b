// Breaks the scheduler and the page cache in every way that Fault.h lists, one at a time, each in a
// process of its own, and looks whether the fuzzer notices. A fault that it does not notice within
// its steps fails the test. Without a fault the fuzzer must be content.
//
//   QuirePlantedFaults [NAME]     one fault, with what was found
#include "runtime/kv/Fault.h"
#include "tests/property/SchedulerFuzz.h"
#include "tests/support/RandomSeed.h"

#include <cstring>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

quire::Fault quire::plantedFault = quire::Fault::None;

using namespace quire;
using namespace quire::test;

namespace {

struct Planted {
  Fault fault;
  const char *name;
};

#define FAULT(name)                                                                                \
  { Fault::name, #name }
const Planted kFaults[] = {
    FAULT(LastPageOffByOne),
    FAULT(MissedRelease),
    FAULT(DoubleFree),
    FAULT(ForkForgetsRetain),
    FAULT(SharedWrite),
    FAULT(CopyForgotten),
    FAULT(CopySourceKept),
    FAULT(WindowReleasesEarly),
    FAULT(WindowNeverReleases),
    FAULT(HashWithoutProof),
    FAULT(SaltIgnored),
    FAULT(ParentIgnored),
    FAULT(StaleHash),
    FAULT(WholePromptHit),
    FAULT(EvictReferenced),
    FAULT(RegisterUnfilled),
    FAULT(PartialCopyTooLong),
    FAULT(PartialSourceEvicted),
    FAULT(CompanionMissing),
    FAULT(CompanionFreed),
    FAULT(CompanionLeak),
    FAULT(HitNotCounted),
    FAULT(VictimOfHigherClass),
    FAULT(VictimIsSenior),
    FAULT(VictimKeepsPages),
    FAULT(PreemptForgetsEpoch),
    FAULT(PreemptedForgotten),
    FAULT(LostSwap),
    FAULT(SwapInWrongOrder),
    FAULT(SwapFreesEarly),
    FAULT(HostSlotLeak),
    FAULT(SwapSkipsTail),
    FAULT(BudgetOffByOne),
    FAULT(SlotsOffByOne),
    FAULT(PlanChangesState),
    FAULT(PagesOvercommitted),
    FAULT(ChunkSkipsToken),
    FAULT(SampleMidPrompt),
    FAULT(DecodeTwice),
    FAULT(AdmitBeforeResume),
    FAULT(CancelLeaksPages),
    FAULT(CancelInFlightFrees),
    FAULT(FinishKeepsQueueEntry),
    FAULT(ExpiryIgnored),
    FAULT(RollbackForgotten),
};
#undef FAULT

constexpr int64_t kSteps = 400000;
constexpr int kFound = 42;

/// What became of the fuzzer with this fault: found, content, or how the process died.
enum class Outcome { Content, Found, Died };

Outcome probe(Fault fault, uint64_t seed, bool tell) {
  std::fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    rlimit seconds{60, 60}; // a fault may keep a loop from ending
    setrlimit(RLIMIT_CPU, &seconds);
    if (!tell)
      std::freopen("/dev/null", "w", stderr);
    plantedFault = fault;
    SchedulerFuzz fuzz(seed);
    std::optional<std::string> broken = fuzz.run(kSteps);
    if (broken && tell)
      std::printf("%s\n", broken->c_str());
    std::fflush(stdout);
    _exit(broken ? kFound : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kFound)
    return Outcome::Found;
  // A sanitizer ends the process with a code of its own.
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? Outcome::Content : Outcome::Died;
}

} // namespace

int main(int argc, char **argv) {
  uint64_t seed = randomSeed();
  if (argc > 1) {
    for (const Planted &planted : kFaults)
      if (std::strcmp(planted.name, argv[1]) == 0)
        return probe(planted.fault, seed, true) == Outcome::Content;
    std::fprintf(stderr, "no fault is called %s\n", argv[1]);
    return 2;
  }
  if (probe(Fault::None, seed, true) != Outcome::Content) {
    std::printf("the fuzzer finds something without a fault\n");
    return 1;
  }
  if (probe(Fault::WeakHash, seed, true) != Outcome::Content) {
    std::printf("hash collisions alone do harm\n");
    return 1;
  }
  int missed = 0, found = 0, died = 0;
  for (const Planted &planted : kFaults) {
    Outcome outcome = probe(planted.fault, seed, false);
    missed += outcome == Outcome::Content;
    found += outcome == Outcome::Found;
    died += outcome == Outcome::Died;
    if (outcome == Outcome::Content)
      std::printf("missed: %s\n", planted.name);
  }
  std::printf("%zu faults: %d found, %d stopped by an internal check, %d missed\n",
              std::size(kFaults), found, died, missed);
  return missed > 0;
}
