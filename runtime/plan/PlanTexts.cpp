// Implementation of PlanTexts.
#include "runtime/plan/PlanTexts.h"

#include "runtime/base/File.h"
#include "runtime/plan/Layout.h"

#include <array>
#include <cstring>

namespace quire {
using namespace plan;

std::string_view textOf(const Plan &plan, std::string_view name) {
  for (const TextRecord &text : plan.texts())
    if (plan.string(text.name) == name)
      return plan.string(text.text);
  return {};
}

std::vector<uint8_t> withText(const Plan &plan, std::string_view name, std::string_view text) {
  std::span<const uint8_t> before = plan.section(SectionKind::Strings);
  std::vector<uint8_t> strings(before.begin(), before.end());
  std::vector<TextRecord> texts(plan.texts().begin(), plan.texts().end());
  TextRecord *record = nullptr;
  for (TextRecord &one : texts)
    if (plan.string(one.name) == name)
      record = &one;
  // The text that was put in last is the last string: it makes room, so that a plan does not grow
  // with every measurement.
  if (record && uint64_t(record->text.offset) + record->text.size == strings.size())
    strings.resize(record->text.offset);
  auto append = [&](std::string_view added) {
    StringRef reference{static_cast<uint32_t>(strings.size()), static_cast<uint32_t>(added.size())};
    strings.insert(strings.end(), added.begin(), added.end());
    return reference;
  };
  if (!record) {
    StringRef named = append(name);
    record = &texts.emplace_back(TextRecord{named, {}});
  }
  record->text = append(text);

  const auto *table = reinterpret_cast<const SectionRecord *>(plan.bytes().data() + sizeof(Header));
  std::vector<SectionBytes> sections;
  for (uint32_t i = 0; i < plan.header().sectionCount; ++i) {
    std::span<const uint8_t> bytes = plan.section(table[i].kind);
    if (table[i].kind == SectionKind::Strings)
      bytes = strings;
    if (table[i].kind == SectionKind::Texts)
      bytes = {reinterpret_cast<const uint8_t *>(texts.data()), texts.size() * sizeof(TextRecord)};
    sections.push_back({table[i].kind, table[i].elementBytes, bytes});
  }
  return layOut(sections);
}

Status writePlanText(const std::string &path, std::string_view name, std::string_view text) {
  QUIRE_ASSIGN_OR_RETURN(Plan plan, Plan::open(path));
  if (plan.section(SectionKind::Strings).size() + name.size() + text.size() > UINT32_MAX)
    return Status::error(ErrorCode::OutOfRange,
                         path + ": the format holds 4 GiB of strings, which are full");
  std::vector<uint8_t> file = withText(plan, name, text);
  const std::span<const uint8_t> pieces[] = {file};
  QUIRE_RETURN_IF_ERROR(Plan::fromBytes(file, path).status());
  return writeFileAtomically(path, pieces);
}

} // namespace quire
