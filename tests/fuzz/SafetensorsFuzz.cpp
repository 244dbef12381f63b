// Feeds hostile headers to the safetensors reader. The first byte chooses whether the rest is a whole
// file (even) or the JSON of a header, whose length word is then right, followed by the data bytes
// that the second and third byte count. What the reader accepts must lie inside the file.
#include "runtime/weights/Safetensors.h"

#include <cstdlib>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes < 3)
    return 0;
  std::vector<uint8_t> header(data + 3, data + bytes);
  uint64_t fileBytes = header.size();
  if (data[0] % 2 != 0) {
    uint64_t length = header.size();
    header.insert(header.begin(), reinterpret_cast<uint8_t *>(&length),
                  reinterpret_cast<uint8_t *>(&length) + sizeof(length));
    fileBytes = header.size() + data[1] + 256u * data[2];
  }
  auto parsed = quire::parseSafetensorsHeader(header, fileBytes, "fuzz");
  if (!parsed.isOk()) {
    if (parsed.status().message().empty())
      std::abort(); // a refusal must say why
    return 0;
  }
  uint64_t total = parsed->headerBytes;
  for (const auto &[name, tensor] : parsed->tensors) {
    if (tensor.offset < parsed->headerBytes || tensor.offset + tensor.bytes > fileBytes)
      std::abort();
    total += tensor.bytes;
  }
  if (total != fileBytes)
    std::abort(); // a hole or an overlap
  return 0;
}
