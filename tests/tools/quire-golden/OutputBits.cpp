// Implements OutputBits.h.
#include "tests/tools/quire-golden/OutputBits.h"

#include <cmath>
#include <cstdio>
#include <cstring>

namespace quire::test {
namespace {

std::string place(const OutputBits &output, uint64_t row, uint64_t column) {
  return output.name + "[" + std::to_string(row) + ", " + std::to_string(column) + "]";
}

/// An f32 in full, anything else as its bytes.
std::string valueText(plan::ElementType element, const uint8_t *bytes) {
  char text[48];
  if (element == plan::ElementType::F32) {
    float value = 0;
    std::memcpy(&value, bytes, sizeof(value));
    std::snprintf(text, sizeof text, "%.9g", static_cast<double>(value));
    return text;
  }
  std::string all = "0x";
  for (uint64_t i = plan::elementBytes(element); i-- > 0;) {
    std::snprintf(text, sizeof text, "%02x", bytes[i]);
    all += text;
  }
  return all;
}

Status refuseNan(const OutputBits &output) {
  if (output.element != plan::ElementType::F32)
    return Status::ok();
  uint64_t columns = output.rowBytes / sizeof(float);
  for (uint64_t i = 0; i < output.rows * columns; ++i) {
    float value = 0;
    std::memcpy(&value, output.bytes.data() + i * sizeof(float), sizeof(value));
    if (std::isnan(value))
      return Status::error(ErrorCode::Internal,
                           place(output, i / columns, i % columns) + " is NaN");
  }
  return Status::ok();
}

} // namespace

Result<std::vector<OutputBits>> readOutputs(PagedSession &session) {
  std::vector<OutputBits> outputs;
  for (const plan::TensorRecord &record : session.plan().tensors()) {
    if (!record.isOutput)
      continue;
    OutputBits output;
    output.name = session.plan().string(record.name);
    QUIRE_ASSIGN_OR_RETURN(TensorView view, session.executor().output(output.name));
    output.element = view.element;
    output.rows = view.rows;
    output.rowBytes = view.columns * plan::elementBytes(view.element);
    output.bytes.resize(output.rows * output.rowBytes);
    const auto *from = static_cast<const uint8_t *>(view.data);
    for (uint64_t row = 0; row < view.rows; ++row)
      std::memcpy(output.bytes.data() + row * output.rowBytes,
                  from + row * view.rowStride * plan::elementBytes(view.element), output.rowBytes);
    QUIRE_RETURN_IF_ERROR(refuseNan(output));
    outputs.push_back(std::move(output));
  }
  return outputs;
}

Status sameBits(const OutputBits &output, uint64_t row, const uint8_t *expected) {
  const uint8_t *got = output.row(row);
  if (std::memcmp(got, expected, output.rowBytes) == 0)
    return Status::ok();
  uint64_t size = plan::elementBytes(output.element), column = 0;
  while (std::memcmp(got + column * size, expected + column * size, size) == 0)
    ++column;
  return Status::error(ErrorCode::Internal, place(output, row, column) + " is " +
                                                valueText(output.element, got + column * size) +
                                                ", not " +
                                                valueText(output.element, expected + column * size));
}

} // namespace quire::test
