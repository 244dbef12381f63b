// Implements Recording.h.
#include "tests/tools/quire-golden/Recording.h"

#include "runtime/base/File.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace quire::test {
using nlohmann::json;

namespace {

Status wrong(const std::string &message) { return Status::error(ErrorCode::Internal, message); }

json toJson(const RecordedStep &step) {
  json rows = json::array(), outputs = json::array();
  for (const SequenceRows &each : step.rows)
    rows.push_back({{"sequence", each.sequence}, {"tokens", each.tokens}, {"samples", each.samples}});
  for (const RecordedOutput &output : step.outputs)
    outputs.push_back({{"name", output.name},
                       {"rows", output.rows},
                       {"columns", output.columns},
                       {"values", output.values}});
  return {{"forgotten", step.forgotten},   {"rows", rows},
          {"input", step.input},           {"inputRows", step.inputRows},
          {"inputValues", step.inputValues}, {"outputs", outputs}};
}

RecordedStep stepFrom(const json &object) {
  RecordedStep step;
  object.at("forgotten").get_to(step.forgotten);
  object.at("input").get_to(step.input);
  object.at("inputRows").get_to(step.inputRows);
  object.at("inputValues").get_to(step.inputValues);
  for (const json &row : object.at("rows"))
    step.rows.push_back({row.at("sequence").get<int64_t>(),
                         row.at("tokens").get<std::vector<int32_t>>(),
                         row.at("samples").get<std::vector<int64_t>>()});
  for (const json &output : object.at("outputs"))
    step.outputs.push_back({output.at("name").get<std::string>(), output.at("rows").get<uint64_t>(),
                            output.at("columns").get<uint64_t>(),
                            output.at("values").get<std::vector<double>>()});
  return step;
}

} // namespace

Status Recording::write(const std::string &path) const {
  json object{{"description", description}, {"tolerance", tolerance}, {"pages", pages},
              {"seesLater", seesLater}};
  for (const RecordedStep &step : steps)
    object["steps"].push_back(toJson(step));
  std::vector<uint8_t> bytes = json::to_cbor(object);
  const std::span<const uint8_t> pieces[] = {bytes};
  return writeFileAtomically(path, pieces);
}

Result<Recording> Recording::read(const std::string &path) {
  QUIRE_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, readFile(path, 1ull << 30));
  try {
    json object = json::from_cbor(bytes);
    Recording recording;
    object.at("description").get_to(recording.description);
    object.at("tolerance").get_to(recording.tolerance);
    object.at("pages").get_to(recording.pages);
    object.at("seesLater").get_to(recording.seesLater);
    for (const json &step : object.at("steps"))
      recording.steps.push_back(stepFrom(step));
    return recording;
  } catch (const json::exception &error) {
    return Status::error(ErrorCode::Corrupt, path + " is no recording: " + error.what());
  }
}

Result<double> compareOutput(const TensorView &view, const RecordedOutput &expected,
                             double tolerance) {
  if (view.rows != expected.rows || view.columns != expected.columns)
    return wrong("output " + expected.name + " has " + std::to_string(view.rows) + " x " +
                 std::to_string(view.columns) + " elements, the reference " +
                 std::to_string(expected.rows) + " x " + std::to_string(expected.columns));
  double largest = 1e-6, worst = 0;
  for (double value : expected.values)
    largest = std::max(largest, std::abs(value));
  for (uint64_t row = 0; row < expected.rows; ++row)
    for (uint64_t column = 0; column < expected.columns; ++column) {
      double want = expected.values[row * expected.columns + column];
      double got = view.row(row)[column];
      double error = std::abs(got - want) / largest;
      if (error <= tolerance) {
        worst = std::max(worst, error);
        continue;
      }
      char text[256];
      std::snprintf(text, sizeof text,
                    "%s[%llu, %llu] is %.9g, the reference says %.9g (allowed difference %.2g)",
                    expected.name.c_str(), static_cast<unsigned long long>(row),
                    static_cast<unsigned long long>(column), got, want, tolerance * largest);
      return wrong(text);
    }
  return worst;
}

Result<double> replay(PagedSession &session, const Recording &recording, double tolerance) {
  double worst = 0;
  for (size_t number = 0; number < recording.steps.size(); ++number) {
    const RecordedStep &step = recording.steps[number];
    std::string name = "step " + std::to_string(number);
    for (int64_t sequence : step.forgotten)
      session.forget(sequence);
    Status status = step.input.empty()
                        ? session.step(step.rows)
                        : session.step(StepInput{step.input, step.inputValues.data(),
                                                 step.inputRows, 0});
    if (status.isOk() && step.input.empty())
      status = session.checkUnusedPages();
    if (!status.isOk())
      return std::move(status).withContext(name);
    for (const RecordedOutput &output : step.outputs) {
      QUIRE_ASSIGN_OR_RETURN(TensorView view, session.executor().output(output.name));
      Result<double> error = compareOutput(view, output, tolerance);
      if (!error.isOk())
        return Status(error.status()).withContext(name);
      worst = std::max(worst, *error);
    }
  }
  return worst;
}

} // namespace quire::test
