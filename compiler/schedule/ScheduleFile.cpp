// Reads schedule files.
#include "compiler/schedule/ScheduleFile.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

namespace quire::schedule {
namespace {

llvm::Error fail(llvm::StringRef path, const llvm::Twine &text) {
  return llvm::createStringError(path + ": " + text);
}

llvm::Expected<Choice> readChoice(llvm::StringRef path, const llvm::json::Object &object) {
  Choice choice;
  const std::pair<llvm::StringRef, int64_t *> fields[] = {
      {"limit", &choice.limit}, {"min", &choice.minimum},     {"max", &choice.maximum},
      {"rows", &choice.rows},   {"panels", &choice.panels},   {"queries", &choice.queries},
      {"keys", &choice.keys},   {"split", &choice.split}};
  for (const auto &[key, value] : object) {
    llvm::StringRef name = key;
    if (name == "registers") {
      const llvm::json::Array *sizes = value.getAsArray();
      if (!sizes || sizes->size() != 3)
        return fail(path, "\"registers\" must be an array of three sizes [m, n, k]");
      for (size_t i = 0; i < 3; ++i) {
        std::optional<int64_t> size = (*sizes)[i].getAsInteger();
        if (!size)
          return fail(path, "\"registers\" must hold integers");
        choice.registers[i] = *size;
      }
      continue;
    }
    const auto *field = llvm::find_if(fields, [&](const auto &f) { return f.first == name; });
    if (field == std::end(fields))
      return fail(path, "unknown field \"" + name + "\" in a variant");
    std::optional<int64_t> number = value.getAsInteger();
    if (!number)
      return fail(path, "\"" + name + "\" must be an integer");
    *field->second = *number;
  }
  return choice;
}

} // namespace

llvm::Expected<std::vector<Choice>> readChoices(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return fail(path, "cannot be read: " + buffer.getError().message());
  llvm::Expected<llvm::json::Value> document = llvm::json::parse((*buffer)->getBuffer());
  if (!document)
    return fail(path, "is not JSON: " + llvm::toString(document.takeError()));
  const llvm::json::Object *object = document->getAsObject();
  const llvm::json::Array *variants = object ? object->getArray("variants") : nullptr;
  if (!variants || object->size() != 1)
    return fail(path, "must be an object with one field, the array \"variants\"");
  std::vector<Choice> choices;
  for (const llvm::json::Value &value : *variants) {
    const llvm::json::Object *variant = value.getAsObject();
    if (!variant)
      return fail(path, "a variant must be an object");
    llvm::Expected<Choice> choice = readChoice(path, *variant);
    if (!choice)
      return choice.takeError();
    choices.push_back(*choice);
  }
  return choices;
}

} // namespace quire::schedule
