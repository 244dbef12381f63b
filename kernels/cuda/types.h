// Element types of device memory and their conversions. bf16 and f16 are storage: arithmetic is done in
// float. Everything is 2, 4, 8 or 16 bytes of machine words, so that a vector moves in one access.
#pragma once

#define QUIRE_DEVICE static __device__ __forceinline__
#ifndef INFINITY // NVRTC includes no <math.h>
#define INFINITY __int_as_float(0x7f800000)
#endif

namespace quire {

using i8 = signed char;
using i16 = short;
using i32 = int;
using i64 = long long;
using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned;
using u64 = unsigned long long;
using f32 = float;
using f64 = double;
struct alignas(2) bf16 {
  u16 bits;
};
struct alignas(2) f16 {
  u16 bits;
};

// Bits as another type of the same size.
QUIRE_DEVICE u32 bitsOf(float value) { return __float_as_uint(value); }
QUIRE_DEVICE float floatOf(u32 bits) { return __uint_as_float(bits); }

QUIRE_DEVICE float toFloat(float value) { return value; }
QUIRE_DEVICE float toFloat(bf16 value) { return floatOf(u32(value.bits) << 16); }
QUIRE_DEVICE float toFloat(f16 value) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
}

// fromFloat<T>: rounds to nearest even.
template <class T> struct Element;
template <> struct Element<float> {
  QUIRE_DEVICE float fromFloat(float value) { return value; }
};
template <> struct Element<bf16> {
  QUIRE_DEVICE bf16 fromFloat(float value) {
    bf16 result;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
    return result;
  }
  /// Two elements in one word, `low` at the lower address.
  QUIRE_DEVICE u32 pair(float low, float high) {
    u32 result;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
    return result;
  }
  QUIRE_DEVICE float low(u32 pair) { return floatOf(pair << 16); }
  QUIRE_DEVICE float high(u32 pair) { return floatOf(pair & 0xffff0000u); }
};
template <> struct Element<f16> {
  QUIRE_DEVICE f16 fromFloat(float value) {
    f16 result;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
    return result;
  }
  QUIRE_DEVICE u32 pair(float low, float high) {
    u32 result;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
    return result;
  }
  QUIRE_DEVICE float low(u32 pair) { return toFloat(f16{u16(pair)}); }
  QUIRE_DEVICE float high(u32 pair) { return toFloat(f16{u16(pair >> 16)}); }
};
template <class T> QUIRE_DEVICE T fromFloat(float value) { return Element<T>::fromFloat(value); }
template <class T> QUIRE_DEVICE u32 packPair(float low, float high) {
  return Element<T>::pair(low, high);
}

/// N neighbouring elements, 4, 8 or 16 bytes in all, as they lie in memory. Indices are constants (of
/// unrolled loops).
template <class T, int N> struct Vector {
  static constexpr int kBytes = N * int(sizeof(T)), kWords = kBytes / 4;
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "a vector moves in one access");
  u32 words[kWords];

  __device__ __forceinline__ float get(int i) const {
    if constexpr (sizeof(T) == 4)
      return floatOf(words[i]);
    else
      return i & 1 ? Element<T>::high(words[i / 2]) : Element<T>::low(words[i / 2]);
  }
};

/// Rounds N floats.
template <class T, int N> QUIRE_DEVICE Vector<T, N> makeVector(const float *values) {
  Vector<T, N> result;
#pragma unroll
  for (int w = 0; w < Vector<T, N>::kWords; ++w) {
    if constexpr (sizeof(T) == 4)
      result.words[w] = bitsOf(values[w]);
    else
      result.words[w] = packPair<T>(values[2 * w], values[2 * w + 1]);
  }
  return result;
}

/// Reads N elements from an address aligned to their bytes.
template <int N, class T> QUIRE_DEVICE Vector<T, N> load(const T *from) {
  Vector<T, N> result;
  if constexpr (Vector<T, N>::kBytes == 16) {
    uint4 v = *reinterpret_cast<const uint4 *>(from);
    result.words[0] = v.x, result.words[1] = v.y, result.words[2] = v.z, result.words[3] = v.w;
  } else if constexpr (Vector<T, N>::kBytes == 8) {
    uint2 v = *reinterpret_cast<const uint2 *>(from);
    result.words[0] = v.x, result.words[1] = v.y;
  } else {
    result.words[0] = *reinterpret_cast<const u32 *>(from);
  }
  return result;
}

/// The same for global memory that nothing writes while the kernel runs and that is read once: through
/// the read-only path, without keeping it in L1.
template <int N, class T> QUIRE_DEVICE Vector<T, N> loadStreamed(const T *from) {
  Vector<T, N> result;
  u32 *w = result.words;
  if constexpr (Vector<T, N>::kBytes == 16)
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3])
                 : "l"(from));
  else if constexpr (Vector<T, N>::kBytes == 8)
    asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];"
                 : "=r"(w[0]), "=r"(w[1])
                 : "l"(from));
  else
    asm volatile("ld.global.nc.L1::no_allocate.u32 %0, [%1];" : "=r"(w[0]) : "l"(from));
  return result;
}

template <int N, class T> QUIRE_DEVICE void store(T *to, const Vector<T, N> &value) {
  const u32 *w = value.words;
  if constexpr (Vector<T, N>::kBytes == 16)
    *reinterpret_cast<uint4 *>(to) = make_uint4(w[0], w[1], w[2], w[3]);
  else if constexpr (Vector<T, N>::kBytes == 8)
    *reinterpret_cast<uint2 *>(to) = make_uint2(w[0], w[1]);
  else
    *reinterpret_cast<u32 *>(to) = w[0];
}

/// Address in shared memory as instructions take it.
QUIRE_DEVICE u32 sharedAddress(const void *pointer) {
  return u32(__cvta_generic_to_shared(pointer));
}

} // namespace quire
