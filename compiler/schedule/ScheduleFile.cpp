// Reads and writes schedule files.
#include "compiler/schedule/ScheduleFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <array>

namespace quire::schedule {
namespace {

llvm::Error fail(llvm::StringRef path, const llvm::Twine &text) {
  return llvm::createStringError(path + ": " + text);
}

struct SizeField {
  llvm::StringRef name;
  int64_t Choice::*member;
};
constexpr std::array<SizeField, 12> kSizes{{{"limit", &Choice::limit},
                                            {"min", &Choice::minimum},
                                            {"max", &Choice::maximum},
                                            {"rows", &Choice::rows},
                                            {"panels", &Choice::panels},
                                            {"queries", &Choice::queries},
                                            {"keys", &Choice::keys},
                                            {"split", &Choice::split},
                                            {"columns", &Choice::columns},
                                            {"depth", &Choice::depth},
                                            {"warps", &Choice::warps},
                                            {"stages", &Choice::stages}}};

struct WordField {
  llvm::StringRef name;
  std::string Choice::*member;
};
constexpr std::array<WordField, 2> kWords{
    {{"instruction", &Choice::instruction}, {"parallel", &Choice::parallel}}};

struct ShapeField {
  llvm::StringRef name;
  int64_t KernelShape::*member;
};
constexpr std::array<ShapeField, 10> kShapes{{{"panels", &KernelShape::panels},
                                              {"columns", &KernelShape::columns},
                                              {"width", &KernelShape::width},
                                              {"products", &KernelShape::products},
                                              {"elementBytes", &KernelShape::elementBytes},
                                              {"rowBytes", &KernelShape::rowBytes},
                                              {"page", &KernelShape::page},
                                              {"group", &KernelShape::group},
                                              {"headDim", &KernelShape::headDim},
                                              {"leanScore", &KernelShape::leanScore}}};

llvm::Expected<Choice> readChoice(llvm::StringRef path, const llvm::json::Object &object) {
  Choice choice;
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
    if (const auto *word = llvm::find_if(kWords, [&](const auto &f) { return f.name == name; });
        word != kWords.end()) {
      std::optional<llvm::StringRef> text = value.getAsString();
      if (!text)
        return fail(path, "\"" + name + "\" must be a string");
      choice.*(word->member) = text->str();
      continue;
    }
    const auto *field = llvm::find_if(kSizes, [&](const auto &f) { return f.name == name; });
    if (field == kSizes.end())
      return fail(path, "unknown field \"" + name + "\" in a variant");
    std::optional<int64_t> number = value.getAsInteger();
    if (!number)
      return fail(path, "\"" + name + "\" must be an integer");
    choice.*(field->member) = *number;
  }
  return choice;
}

/// Whether `object`, the `match` of an entry, holds for a kernel.
llvm::Expected<bool> holds(llvm::StringRef path, const llvm::json::Object &object,
                           const KernelShape &shape) {
  bool result = true;
  for (const auto &[key, value] : object) {
    llvm::StringRef name = key;
    const auto *field = llvm::find_if(kShapes, [&](const auto &f) { return f.name == name; });
    std::optional<int64_t> number = value.getAsInteger();
    if (field == kShapes.end() || !number)
      return fail(path, "\"match\" has the unknown field or value \"" + name + "\"");
    result &= *number == shape.*(field->member);
  }
  return result;
}

llvm::Expected<std::vector<Choice>>
readVariants(llvm::StringRef path, const llvm::json::Array &variants, const KernelShape &shape) {
  std::vector<Choice> choices;
  for (const llvm::json::Value &value : variants) {
    const llvm::json::Object *variant = value.getAsObject();
    if (!variant)
      return fail(path, "a variant must be an object");
    llvm::Expected<Choice> choice = readChoice(path, *variant);
    if (!choice)
      return choice.takeError();
    choices.push_back(complete(shape, *choice));
  }
  return choices;
}

/// The entries of a file.
llvm::Expected<llvm::json::Array> readEntries(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return fail(path, "cannot be read: " + buffer.getError().message());
  llvm::Expected<llvm::json::Value> document = llvm::json::parse((*buffer)->getBuffer());
  if (!document)
    return fail(path, "is not JSON: " + llvm::toString(document.takeError()));
  llvm::json::Object *object = document->getAsObject();
  llvm::json::Array *kernels = object ? object->getArray("kernels") : nullptr;
  if (!kernels || object->size() != 1)
    return fail(path, "must be an object with one field, the array \"kernels\"");
  return std::move(*kernels);
}

} // namespace

llvm::Expected<std::vector<Choice>> readChoices(llvm::StringRef path, const KernelShape &shape) {
  llvm::Expected<llvm::json::Array> kernels = readEntries(path);
  if (!kernels)
    return kernels.takeError();
  for (const llvm::json::Value &value : *kernels) {
    const llvm::json::Object *entry = value.getAsObject();
    const llvm::json::Array *variants = entry ? entry->getArray("variants") : nullptr;
    const llvm::json::Object *match = entry ? entry->getObject("match") : nullptr;
    const llvm::json::Object *measured = entry ? entry->getObject("measured") : nullptr;
    if (!variants || entry->size() != 1u + (match ? 1 : 0) + (measured ? 1 : 0))
      return fail(path, "an entry of \"kernels\" has the array \"variants\" and may have the objects "
                        "\"match\" and \"measured\"");
    if (match) {
      llvm::Expected<bool> isMatch = holds(path, *match, shape);
      if (!isMatch)
        return isMatch.takeError();
      if (!*isMatch)
        continue;
    }
    return readVariants(path, *variants, shape);
  }
  return std::vector<Choice>();
}

llvm::json::Object variantOf(const Choice &choice) {
  llvm::json::Object variant;
  const Choice unset;
  for (const SizeField &field : kSizes)
    if (choice.*(field.member) != unset.*(field.member))
      variant[field.name] = choice.*(field.member);
  for (const WordField &field : kWords)
    if (!(choice.*(field.member)).empty())
      variant[field.name] = choice.*(field.member);
  if (choice.registers[0])
    variant["registers"] = llvm::json::Array(choice.registers);
  return variant;
}

llvm::json::Object matchOf(const KernelShape &shape) {
  llvm::json::Object match;
  for (const ShapeField &field : kShapes)
    if (shape.*(field.member) && (shape.family == "linear" || field.name != "products"))
      match[field.name] = shape.*(field.member);
  return match;
}

llvm::Error writeChoices(llvm::StringRef path, const KernelShape &shape,
                         const std::vector<Choice> &choices, llvm::json::Object measured) {
  llvm::json::Array kernels;
  llvm::json::Object match = matchOf(shape);
  llvm::json::Object entry{{"match", llvm::json::Object(match)}};
  llvm::json::Array variants;
  for (const Choice &choice : choices)
    variants.push_back(variantOf(choice));
  entry["variants"] = std::move(variants);
  if (!measured.empty())
    entry["measured"] = std::move(measured);
  kernels.push_back(std::move(entry));
  if (llvm::sys::fs::exists(path)) {
    llvm::Expected<llvm::json::Array> others = readEntries(path);
    if (!others)
      return others.takeError();
    for (llvm::json::Value &other : *others)
      if (const llvm::json::Object *object = other.getAsObject();
          !object || !object->getObject("match") || *object->getObject("match") != match)
        kernels.push_back(std::move(other));
  }
  std::error_code error;
  llvm::raw_fd_ostream file(path, error);
  if (error)
    return fail(path, "cannot be written: " + error.message());
  file << llvm::formatv("{0:2}\n", llvm::json::Value(llvm::json::Object{{"kernels", std::move(kernels)}}));
  file.close();
  if (file.has_error())
    return fail(path, "cannot be written: " + file.error().message());
  return llvm::Error::success();
}

} // namespace quire::schedule
