// Feeds hostile plan files to the reader, with the checksum made right so that damage reaches the
// rules behind it. An input is either a whole file (first byte even) or a list of edits of a sample
// plan (for CPUs, or for GPUs with bit 5): 4 bytes of offset, 1 byte of width, 8 bytes of value. Of
// what the reader accepts every string and all code is read, and other bits of the first byte have
// it described as text or JSON, which walks every record and operand but takes much longer than the
// rules.
#include "runtime/plan/Describe.h"
#include "runtime/plan/Writer.h"
#include "tests/unit/runtime/CudaSample.h"
#include "tests/unit/runtime/SamplePlan.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

namespace {

std::vector<uint8_t> editedSample(bool cuda, const uint8_t *data, size_t bytes) {
  static const std::vector<uint8_t> samples[] = {
      quire::test::samplePlan(true).bytes(),
      quire::test::cudaSample([](quire::plan::EntryRecord &, quire::plan::TensorMapRecord &) {})};
  std::vector<uint8_t> file = samples[cuda];
  constexpr size_t kEditBytes = 13;
  for (; bytes >= kEditBytes; data += kEditBytes, bytes -= kEditBytes) {
    uint32_t offset = 0;
    std::memcpy(&offset, data, sizeof(offset));
    offset %= file.size();
    size_t width = std::min<size_t>(1 + data[4] % 8, file.size() - offset);
    std::memcpy(file.data() + offset, data + 5, width);
  }
  return file;
}

/// Header fields that only say that nothing happened to the file.
void makeHeaderPlausible(std::vector<uint8_t> &file) {
  if (file.size() < sizeof(quire::plan::Header))
    return;
  quire::plan::Header header;
  std::memcpy(&header, file.data(), sizeof(header));
  header.magic = quire::plan::kMagic;
  header.version = quire::plan::kVersion;
  header.fileBytes = file.size();
  std::memcpy(file.data(), &header, sizeof(header));
  quire::fixPlanChecksum(file);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes == 0)
    return 0;
  bool whole = data[0] % 2 == 0;
  std::vector<uint8_t> file = whole ? std::vector<uint8_t>(data + 1, data + bytes)
                                    : editedSample(data[0] & 32, data + 1, bytes - 1);
  makeHeaderPlausible(file);
  auto plan = quire::Plan::fromBytes(std::move(file));
  if (!plan.isOk()) {
    if (plan.status().message().empty())
      std::abort(); // a refusal must say why
    return 0;
  }
  quire::DescribeOptions options;
  options.texts = true;
  if ((data[0] & 30) == 2 && describe(*plan, options).empty())
    std::abort();
  if ((data[0] & 30) == 4 && describeJson(*plan).dump().empty())
    std::abort();
  for (const auto &text : plan->texts())
    if (!describeText(*plan, plan->string(text.name)).isOk())
      std::abort();
  for (const auto &image : plan->images())
    if (quire::plan::checksum(plan->code(image).data(), image.bytes) == 0)
      std::abort();
  return 0;
}
