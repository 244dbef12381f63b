// The device primitives that printed kernels call (kernels/cuda), for Block.h. Addresses are
// checked for the alignment that the machine asks for.
#pragma once

#include "Block.h"

#include <immintrin.h>

#define QUIRE_DEVICE inline

namespace quire {

using u16 = unsigned short;
using u32 = unsigned;
using u64 = unsigned long long;
using i64 = long long;
struct alignas(2) bf16 {
  u16 bits;
};
struct alignas(2) f16 {
  u16 bits;
};

template <class To, class From> To bitsAs(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

inline float toFloat(float value) { return value; }
inline float toFloat(bf16 value) { return bitsAs<float>(u32(value.bits) << 16); }
inline float toFloat(f16 value) { return _cvtsh_ss(value.bits); }
template <class T> T fromFloat(float value);
template <> inline float fromFloat<float>(float value) { return value; }
template <> inline bf16 fromFloat<bf16>(float value) {
  if (value != value)
    return {0x7fff};
  u32 bits = bitsAs<u32>(value);
  return {u16((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
template <> inline f16 fromFloat<f16>(float value) {
  return {u16(_cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT))};
}
template <class T> u32 packPair(float low, float high) {
  return fromFloat<T>(low).bits | u32(fromFloat<T>(high).bits) << 16;
}

template <class T> void checkAligned(const T *pointer, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(pointer) % bytes != 0)
    emulator::fail("a vector access is not aligned");
}
template <class T, int N> struct Vector {
  static_assert(N * sizeof(T) == 4 || N * sizeof(T) == 8 || N * sizeof(T) == 16);
  u32 words[N * sizeof(T) / 4];
  float get(int i) const {
    T element;
    std::memcpy(&element, reinterpret_cast<const char *>(words) + i * sizeof(T), sizeof(T));
    return toFloat(element);
  }
};
template <class T, int N> Vector<T, N> makeVector(const float *values) {
  Vector<T, N> result;
  for (int i = 0; i < N; ++i) {
    T element = fromFloat<T>(values[i]);
    std::memcpy(reinterpret_cast<char *>(result.words) + i * sizeof(T), &element, sizeof(T));
  }
  return result;
}
template <int N, class T> Vector<T, N> load(const T *from) {
  checkAligned(from, N * sizeof(T));
  Vector<T, N> result;
  std::memcpy(&result, from, sizeof(result));
  return result;
}
template <int N, class T> Vector<T, N> loadStreamed(const T *from) { return load<N>(from); }
template <class T, int N> void store(T *to, const Vector<T, N> &value) {
  checkAligned(to, N * sizeof(T));
  std::memcpy(to, &value, sizeof(value));
}

// Kernels run one after the other.
inline void awaitPredecessors() {}
inline void startSuccessors() {}

// --- Shared memory -------------------------------------------------------------------------------

inline u32 sharedAddress(const void *pointer) {
  return u32(static_cast<const unsigned char *>(pointer) - shared);
}
inline unsigned char *sharedAt(u32 address, u32 bytes) {
  if (address % bytes != 0 || address + bytes > sizeof(shared))
    emulator::fail("an address of shared memory is not aligned or too large");
  return shared + address;
}
inline void copyAsync16(u32 to, const void *from, bool valid = true) {
  sharedAt(to, 16);
  if (valid)
    checkAligned(static_cast<const char *>(from), 16);
  emulator::fiber().open.push_back({to, from, valid ? 16u : 0u});
}
inline void commitCopies() {
  emulator::fiber().groups.push_back(std::exchange(emulator::fiber().open, {}));
}
template <int N> void waitCopies() {
  auto &groups = emulator::fiber().groups;
  for (; groups.size() > N; groups.pop_front())
    for (const emulator::Copy &copy : groups.front()) {
      std::memset(shared + copy.to, 0, 16);
      if (copy.bytes)
        std::memcpy(shared + copy.to, copy.from, copy.bytes);
    }
}
inline void storeShared16(u32 to, uint4 value) { std::memcpy(sharedAt(to, 16), &value, 16); }
inline uint4 loadShared16(u32 from) {
  uint4 value;
  std::memcpy(&value, sharedAt(from, 16), 16);
  return value;
}

// --- Barriers and boxes --------------------------------------------------------------------------

inline void initBarrier(u32 barrier, u32 arrivals) {
  sharedAt(barrier, 8);
  emulator::block.barriers[barrier] = {int(arrivals), int(arrivals), 0, 0, {}};
}
inline void publishBarriers() {}
inline emulator::CopyBarrier &barrierAt(u32 barrier) {
  auto found = emulator::block.barriers.find(barrier);
  if (found == emulator::block.barriers.end())
    emulator::fail("a barrier was not initialised");
  return found->second;
}
inline void arrive(u32 barrier) {
  emulator::CopyBarrier &state = barrierAt(barrier);
  if (state.missing-- == 0)
    emulator::fail("more arrivals at a barrier than a phase has");
  state.settle();
}
inline void arriveExpecting(u32 barrier, u32 bytes) {
  barrierAt(barrier).bytes += bytes;
  arrive(barrier);
}
inline void await(u32 barrier, u32 parity) {
  emulator::CopyBarrier &state = barrierAt(barrier);
  for (;;) {
    for (auto &copy : std::exchange(state.copies, {}))
      copy();
    if (state.phase % 2 != parity)
      return;
    emulator::yield();
  }
}
inline void syncNamed(int id, int threads) {
  auto &[arrived, phase] = emulator::block.named[static_cast<size_t>(id)];
  emulator::meet(arrived, phase, threads);
}

/// A position in a ring, as kernels/cuda/barrier.h has it.
template <int Slots> class RingPosition {
public:
  explicit RingPosition(u32 parity) : round(parity) {}
  u32 slot() const { return place; }
  u32 parity() const { return round % 2; }
  void advance() {
    if (++place == Slots) {
      place = 0;
      ++round;
    }
  }

private:
  u32 place = 0, round;
};

/// What the emulated driver encodes, 128 bytes.
struct alignas(64) TensorMap {
  char *address;
  u32 rank, swizzle, elementBytes, box[5];
  u64 extents[5], strides[4]; ///< of all but the innermost dimension
};
inline void copyBoxAt(u32 to, const TensorMap &map, u32 barrier, const int *origin) {
  sharedAt(to, map.swizzle == 128 ? 1024 : 128);
  std::array<int, 5> from{};
  std::copy(origin, origin + map.rank, from.begin());
  barrierAt(barrier).copies.push_back([=] {
    u32 elements = 1;
    for (u32 i = 0; i < map.rank; ++i)
      elements *= map.box[i];
    for (u32 n = 0; n < elements; ++n) {
      bool inside = true;
      i64 offset = 0;
      for (u32 i = 0, rest = n; i < map.rank; rest /= map.box[i++]) {
        i64 at = from[i] + i64(rest % map.box[i]);
        inside &= at >= 0 && u64(at) < map.extents[i];
        offset += at * i64(i ? map.strides[i - 1] : map.elementBytes);
      }
      u32 place = to + n * map.elementBytes;
      if (map.swizzle == 128)
        place ^= place >> 7 << 4 & 0x70;
      std::memset(shared + place, 0, map.elementBytes);
      if (inside)
        std::memcpy(shared + place, map.address + offset, map.elementBytes);
    }
    emulator::CopyBarrier &state = barrierAt(barrier);
    state.bytes -= elements * map.elementBytes;
    state.settle();
  });
}
inline void copyBox(u32 to, const TensorMap &map, u32 barrier, int x, int y, int z) {
  const int origin[] = {x, y, z};
  if (map.rank != 3)
    emulator::fail("a box has three coordinates, its map has others");
  copyBoxAt(to, map, barrier, origin);
}

// --- Warps ---------------------------------------------------------------------------------------

inline float shuffleXor(float value, int mask) {
  return emulator::exchange(value, [&](const float *all, int lane) { return all[lane ^ mask]; });
}
inline float maximum(float a, float b) { return a != a || b != b ? NAN : fmaxf(a, b); }
inline float minimum(float a, float b) { return a != a || b != b ? NAN : fminf(a, b); }
inline float quadSum(float value) {
  value += shuffleXor(value, 1);
  return value + shuffleXor(value, 2);
}
inline float quadMaximum(float value) {
  value = fmaxf(value, shuffleXor(value, 1));
  return fmaxf(value, shuffleXor(value, 2));
}
inline float warpSum(float value) {
  for (int mask = 16; mask > 0; mask /= 2)
    value += shuffleXor(value, mask);
  return value;
}
inline float warpMaximum(float value) {
  for (int mask = 16; mask > 0; mask /= 2)
    value = fmaxf(value, shuffleXor(value, mask));
  return value;
}
inline long long warpSum(long long value) {
  for (int mask = 16; mask > 0; mask /= 2)
    value += emulator::exchange(value, [&](const long long *all, int lane) {
      return all[lane ^ mask];
    });
  return value;
}
inline long long warpMaximum(long long value) {
  for (int mask = 16; mask > 0; mask /= 2)
    value = std::max(value, emulator::exchange(value, [&](const long long *all, int lane) {
                       return all[lane ^ mask];
                     }));
  return value;
}
inline float exp2Fast(float x) { return exp2f(x); }
inline float tanhFast(float x) { return tanhf(x); }
inline float sinFast(float x) { return sinf(x); }
inline float cosFast(float x) { return cosf(x); }

// --- Tensor cores --------------------------------------------------------------------------------

/// ldmatrix.x4: register i of lane l is elements 2 (l % 4) and + 1 of row l / 4 of matrix i.
inline void loadMatrices(u32 *r, u32 address, bool transposed) {
  sharedAt(address, 16);
  struct Words {
    u32 word[4];
  } words = emulator::exchange(address, [&](const u32 *rows, int lane) {
    Words mine;
    for (int matrix = 0; matrix < 4; ++matrix) {
      u16 pair[2];
      for (int half = 0; half < 2; ++half) {
        int row = lane / 4, column = lane % 4 * 2 + half;
        if (transposed)
          std::swap(row, column);
        std::memcpy(&pair[half], shared + rows[matrix * 8 + row] + column * 2, 2);
      }
      mine.word[matrix] = pair[0] | u32(pair[1]) << 16;
    }
    return mine;
  });
  std::memcpy(r, words.word, 16);
}
inline void loadMatrix4(u32 *r, u32 address) { loadMatrices(r, address, false); }
inline void loadMatrix4Transposed(u32 *r, u32 address) { loadMatrices(r, address, true); }

struct Accumulator {
  float value[4];
};

/// mma.m16n8k16: element i of a lane's accumulator is row lane / 4 + 8 (i / 2), column 2 (lane % 4)
/// + i % 2.
template <class T> void mma(float *c, const u32 *a, const u32 *b) {
  struct Operands {
    u32 a[4], b[2];
  } mine{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  auto half = [](u32 word, int number) { return toFloat(T{u16(word >> 16 * number)}); };
  Accumulator sum = emulator::exchange(mine, [&](const Operands *all, int lane) {
    Accumulator result;
    for (int i = 0; i < 4; ++i) {
      int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      result.value[i] = c[i];
      for (int k = 0; k < 16; ++k)
        result.value[i] += half(all[row % 8 * 4 + k % 8 / 2].a[row / 8 + k / 8 * 2], k % 2) *
                           half(all[column * 4 + k % 8 / 2].b[k / 8], k % 2);
    }
    return result;
  });
  std::memcpy(c, sum.value, 16);
}

struct Tf32Pair {
  float big, small;
};
inline Tf32Pair splitTf32(float value) {
  auto rounded = [](float x) { return bitsAs<float>((bitsAs<u32>(x) + 0x1000) & ~0x1fffu); };
  float big = rounded(value);
  return {big, rounded(value - big)};
}
/// mma.m16n8k8 of tf32, three times.
inline void mmaTf32x3(float *c, const Tf32Pair *a, const Tf32Pair *b) {
  struct Operands {
    Tf32Pair a[4], b[2];
  } mine{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  Accumulator sum = emulator::exchange(mine, [&](const Operands *all, int lane) {
    Accumulator result;
    for (int i = 0; i < 4; ++i) {
      int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      result.value[i] = c[i];
      for (int k = 0; k < 8; ++k) {
        Tf32Pair x = all[row % 8 * 4 + k % 4].a[row / 8 + k / 4 * 2],
                 y = all[column * 4 + k % 4].b[k / 4];
        result.value[i] += x.small * y.big + x.big * y.small + x.big * y.big;
      }
    }
    return result;
  });
  std::memcpy(c, sum.value, 16);
}

} // namespace quire
