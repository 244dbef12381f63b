// Record: everything that went into the scheduler and everything that it decided, as a stream of
// small binary records. The same input gives the same decisions, so replaying the input records
// (Replay.h) has to write the same stream byte for byte; explain (Explain.h) reads from it why a
// request waited.
//
// Stream: the magic, then records of {kind u8, length u32, payload}, little-endian, no padding.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/sched/SchedulerConfig.h"
#include "runtime/sched/StepPlan.h"

#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace quire {

inline constexpr char kRecordMagic[8] = {'Q', 'S', 'C', 'H', 'E', 'D', '0', '4'};

enum class RecordKind : uint8_t {
  Config = 1,   ///< SchedulerConfig
  Add,          ///< input: a request; result: its id and serial, or -1
  Fork,         ///< input: parent, keep; result: id and serial, or -1
  Plan,         ///< input: the time; result: the decision
  Commit,       ///< input: the step; result: copies and transfers
  Settle,       ///< input: id, token
  Append,       ///< input: id, token
  Complete,     ///< input: the step, ok
  TransferDone, ///< input: id, ok
  End,          ///< input: id, reason
  Expire,       ///< input: the time; result: the requests that it ended
  DropCached,   ///< input: cached prefixes are forgotten
};

/// Takes records as they are written. Called from within the scheduler; must not call it.
class Recorder {
public:
  virtual ~Recorder() = default;
  virtual void write(std::span<const uint8_t> bytes) = 0;
};

/// Keeps the stream in memory.
class MemoryRecorder : public Recorder {
public:
  void write(std::span<const uint8_t> bytes) override {
    stream.insert(stream.end(), bytes.begin(), bytes.end());
  }
  std::vector<uint8_t> stream;
};

/// Serialises records for a recorder; without one every call returns at once.
class RecordWriter {
public:
  explicit RecordWriter(Recorder *recorder) : recorder(recorder) {
    if (recorder)
      buffer.reserve(1 << 16);
  }

  bool isOn() const { return recorder != nullptr; }

  void config(const SchedulerConfig &config);
  void add(const SequenceSpec &spec, Micros now, RequestId id, uint64_t serial);
  void fork(RequestId parent, int32_t keep, RequestId id, uint64_t serial);
  void plan(const StepPlan &plan);
  void commit(const StepPlan &plan);
  void token(RecordKind kind, RequestId id, int32_t token);
  void complete(const StepPlan &plan, bool ok);
  void transferDone(RequestId id, bool ok);
  void end(RequestId id, EndReason reason);
  void expire(Micros now, std::span<const RequestId> ended);
  void dropCached();

private:
  void begin(RecordKind kind);
  template <class T> void put(T value) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    size_t at = buffer.size();
    buffer.resize(at + sizeof(T));
    std::memcpy(buffer.data() + at, &value, sizeof(T));
  }
  void finish();

  Recorder *recorder;
  std::vector<uint8_t> buffer;
};

/// Reads the payload of a record. Reading beyond its end gives zeros and sets `failed`.
class RecordReader {
public:
  explicit RecordReader(std::span<const uint8_t> payload) : rest(payload) {}
  template <class T> T get() {
    T value{};
    if (rest.size() < sizeof(T)) {
      failed = true;
      rest = {};
      return value;
    }
    std::memcpy(&value, rest.data(), sizeof(T));
    rest = rest.subspan(sizeof(T));
    return value;
  }
  size_t left() const { return rest.size(); }
  bool failed = false;

private:
  std::span<const uint8_t> rest;
};

/// One record of a stream.
struct RecordView {
  RecordKind kind;
  std::span<const uint8_t> payload;
};

/// Steps through a stream. An incomplete last record, as a killed process leaves it, ends the
/// stream.
class RecordStream {
public:
  explicit RecordStream(std::span<const uint8_t> stream);
  bool isValid() const { return valid; } ///< the magic is there
  bool next(RecordView &record);

private:
  std::span<const uint8_t> rest;
  bool valid = false;
};

/// The decision in a Plan record: `plan` gets everything but what commit fills in.
Status readPlan(std::span<const uint8_t> payload, StepPlan &plan);
/// The configuration in a Config record.
Status readConfig(std::span<const uint8_t> payload, SchedulerConfig &config);

} // namespace quire
