// Implements Splits.h.
#include "tests/tools/quire-diff/Splits.h"

#include <fstream>

namespace quire::test {

std::string Splits::describe() const {
  return "single queries split by " + std::to_string(one) + " keys, tiles of " +
         std::to_string(queries) + " by " + std::to_string(several);
}

Splits drawSplits(std::mt19937_64 &random, int64_t page, bool equal) {
  auto pages = [&](uint64_t least) { return static_cast<int64_t>(least + random() % 5) * page; };
  Splits splits;
  splits.queries = int64_t{2} << random() % 4;
  if (equal) {
    splits.one = splits.several = pages(1);
    return splits;
  }
  bool splitsOne = random() % 4 != 0;
  splits.one = splitsOne ? pages(1) : 0;
  splits.several = !splitsOne || random() % 2 ? pages(1) : 0;
  return splits;
}

Status writeSplits(const Splits &splits, const std::string &folder) {
  std::string path = folder + "/attention.json";
  std::ofstream file(path);
  file << "{\"kernels\": [{\"variants\": [{\"max\": 1, \"queries\": 1, \"split\": " << splits.one
       << "}, {\"min\": 2, \"queries\": " << splits.queries << ", \"split\": " << splits.several
       << "}]}]}\n";
  return file.flush() ? Status::ok() : Status::error(ErrorCode::Io, "cannot write " + path);
}

} // namespace quire::test
