// How a plan stores weights, keys and activations. All kernels and weights of one plan agree on it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace quire {

/// Panels: weights [ceil(N / 32)][K][32], keys with tokens innermost: for the vectors of a CPU.
/// Rows: weights [N][K], keys like values: for the tensor cores of a GPU.
enum class Storage : uint8_t { Panels, Rows };

/// "panels", "rows".
constexpr std::string_view storageName(Storage storage) {
  return storage == Storage::Panels ? "panels" : "rows";
}

constexpr std::optional<Storage> storageNamed(std::string_view name) {
  for (Storage storage : {Storage::Panels, Storage::Rows})
    if (name == storageName(storage))
      return storage;
  return std::nullopt;
}

/// Columns of an activation buffer are padded to a multiple of this, so that rows are aligned and a
/// linear writes whole tiles; so are the rows of a weight, with zeros.
constexpr int64_t columnPadding(Storage storage) { return storage == Storage::Panels ? 32 : 64; }

/// Token rows of an activation buffer are padded to a multiple of this: no tile of a kernel has
/// more.
constexpr int64_t rowPadding(Storage storage) { return storage == Storage::Panels ? 32 : 128; }

/// The module attribute that names the storage of its kernels; a module without it has panels.
inline constexpr char kStorageAttr[] = "quire.storage";

} // namespace quire
