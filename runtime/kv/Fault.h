// Fault: places where a test program can break the scheduler and the cache on purpose, to see that
// its checks notice. Only programs compiled with QUIRE_PLANTED_FAULTS have them; everywhere else
// planted() is the constant false and leaves no code behind.
#pragma once

#include <cstdint>

namespace quire {

enum class Fault : uint8_t {
  None,
  // Pages.
  LastPageOffByOne,    ///< a table is one page short when tokens end on a page boundary
  MissedRelease,       ///< the last page of a table is never given back
  DoubleFree,          ///< a shared page is given back as if it had one owner
  ForkForgetsRetain,   ///< a fork lists pages without owning them
  SharedWrite,         ///< no copy before the first write to a shared page
  CopyForgotten,       ///< the new page of a copy-on-write is not filled
  CopySourceKept,      ///< the old page of a copy-on-write keeps its owner
  WindowReleasesEarly, ///< a page leaves the window one page too early
  WindowNeverReleases, ///< nothing leaves the window
  // Prefix cache.
  WeakHash,             ///< harmless alone: all hashes collide, the proof has to find out
  HashWithoutProof,     ///< tokens are not compared (and hashes collide)
  SaltIgnored,          ///< blocks of another salt match (and hashes collide)
  ParentIgnored,        ///< a block matches behind any prefix (and hashes collide)
  StaleHash,            ///< an evicted page stays in the index
  WholePromptHit,       ///< a hit leaves no token to compute
  EvictReferenced,      ///< eviction takes a page that a sequence reads
  RegisterUnfilled,     ///< a block is published before its last token is computed
  PartialCopyTooLong,   ///< a copied partial block claims one token too many
  PartialSourceEvicted, ///< harmless unless the source is reused at once: it is not pinned
  CompanionMissing,     ///< a prefix matches although a group has lost pages of it
  CompanionFreed,       ///< pages of other groups that can be found are free when their last owner goes
  CompanionLeak,        ///< pages of other groups outlive the block that leads to them
  HitNotCounted,        ///< planning forgets that a hit takes a page out of the cache
  // Preemption and swap.
  VictimOfHigherClass, ///< a victim is not of the least urgent class
  VictimIsSenior,      ///< a victim may be ahead of the beneficiary
  VictimKeepsPages,    ///< a preempted request keeps its pages
  PreemptForgetsEpoch, ///< a step from before a preemption counts as stored
  PreemptedForgotten,  ///< a preempted request is in no queue
  LostSwap,            ///< a finished swap-out is not queued for its return
  SwapInWrongOrder,    ///< pages come back in another order
  SwapFreesEarly,      ///< device pages are free before their copy is done
  HostSlotLeak,        ///< host pages of a returned sequence are not given back
  SwapSkipsTail,       ///< the last page is not copied
  // Planning.
  BudgetOffByOne,     ///< one token too many
  SlotsOffByOne,      ///< one sequence too many
  PlanChangesState,   ///< planning takes a token back
  PagesOvercommitted, ///< admission does not count the pages it gives
  ChunkSkipsToken,    ///< a chunk begins one token late
  SampleMidPrompt,    ///< an unfinished chunk is sampled
  DecodeTwice,        ///< a finished row is scheduled beyond its limit
  AdmitBeforeResume,  ///< new requests overtake preempted ones for ever
  // Life cycle.
  CancelLeaksPages,      ///< a cancelled request keeps its pages
  CancelInFlightFrees,   ///< pages are reused while a step still writes them
  FinishKeepsQueueEntry, ///< a finished request stays in the running queue
  ExpiryIgnored,         ///< deadlines pass unnoticed
  RollbackForgotten,     ///< a token computed too much counts as stored
  Count
};

#ifdef QUIRE_PLANTED_FAULTS
/// The fault that is active in this program; None at first.
extern Fault plantedFault;
inline bool planted(Fault fault) { return plantedFault == fault; }
#else
constexpr bool planted(Fault) { return false; }
#endif

} // namespace quire
