// A linker for one object without undefined symbols: see FlatImage.h.
#include "compiler/cpu/FlatImage.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBufferRef.h"

#include <map>

using namespace quire::compiler;
using namespace llvm;
using namespace llvm::object;

namespace {

/// Where each section of the object lies in the image.
using Layout = std::map<uint64_t, uint64_t>;

Error problem(StringRef kernel, const Twine &text) {
  return createStringError("kernel @" + kernel + ": " + text);
}

/// Code first, then constants; sections that only tools read are left out.
Expected<Layout> layOut(const ELF64LEObjectFile &object, StringRef kernel,
                        std::vector<uint8_t> &bytes) {
  Layout layout;
  for (bool code : {true, false})
    for (ELFSectionRef section : object.sections()) {
      uint64_t flags = section.getFlags();
      Expected<StringRef> name = section.getName();
      if (!name)
        return name.takeError();
      if (!(flags & ELF::SHF_ALLOC) || section.getSize() == 0 || *name == ".eh_frame" ||
          section.isText() != code)
        continue;
      if (flags & ELF::SHF_WRITE)
        return problem(kernel, "has writable data in section " + *name +
                                   "; an image holds code and constants only");
      Expected<StringRef> contents = section.getContents();
      if (!contents)
        return contents.takeError();
      bytes.resize(alignTo(bytes.size(), section.getAlignment()));
      layout[section.getIndex()] = bytes.size();
      bytes.insert(bytes.end(), contents->bytes_begin(), contents->bytes_end());
    }
  return layout;
}

/// Position of a symbol in the image.
Expected<uint64_t> positionOf(const ELF64LEObjectFile &object, SymbolRef symbol,
                              const Layout &layout, StringRef kernel) {
  Expected<StringRef> name = symbol.getName();
  if (!name)
    return name.takeError();
  Expected<section_iterator> section = symbol.getSection();
  if (!section)
    return section.takeError();
  if (*section == object.section_end())
    return problem(kernel, "needs the symbol '" + *name +
                               "', which nothing defines; kernels call no library");
  auto found = layout.find((*section)->getIndex());
  if (found == layout.end())
    return problem(kernel, "refers to '" + *name + "' in a section that is not loaded");
  Expected<uint64_t> value = symbol.getValue();
  if (!value)
    return value.takeError();
  return found->second + *value;
}

Error relocate(const ELF64LEObjectFile &object, const Layout &layout, StringRef kernel,
               std::vector<uint8_t> &bytes) {
  for (ELFSectionRef relocations : object.sections()) {
    Expected<section_iterator> patched = relocations.getRelocatedSection();
    if (!patched)
      return patched.takeError();
    if (*patched == object.section_end())
      continue;
    auto base = layout.find((*patched)->getIndex());
    if (base == layout.end())
      continue;
    for (ELFRelocationRef relocation : relocations.relocations()) {
      Expected<uint64_t> target =
          positionOf(object, *relocation.getSymbol(), layout, kernel);
      if (!target)
        return target.takeError();
      Expected<int64_t> addend = relocation.getAddend();
      if (!addend)
        return addend.takeError();
      uint64_t place = base->second + relocation.getOffset();
      int64_t distance = static_cast<int64_t>(*target) + *addend - static_cast<int64_t>(place);
      switch (relocation.getType()) {
      case ELF::R_X86_64_PC32:
      case ELF::R_X86_64_PLT32:
        if (place + 4 > bytes.size() || !isInt<32>(distance))
          return problem(kernel, "has a relocation out of range");
        support::endian::write32le(&bytes[place], static_cast<uint32_t>(distance));
        break;
      case ELF::R_X86_64_PC64:
        if (place + 8 > bytes.size())
          return problem(kernel, "has a relocation out of range");
        support::endian::write64le(&bytes[place], static_cast<uint64_t>(distance));
        break;
      default: {
        SmallString<32> type;
        relocation.getTypeName(type);
        return problem(kernel, "needs relocation " + type + ", which depends on the load address");
      }
      }
    }
  }
  return Error::success();
}

} // namespace

Expected<FlatCode> quire::compiler::flattenObject(ArrayRef<char> object, StringRef kernel) {
  Expected<std::unique_ptr<ObjectFile>> file = ObjectFile::createELFObjectFile(
      MemoryBufferRef(StringRef(object.data(), object.size()), kernel));
  if (!file)
    return file.takeError();
  auto *elf = dyn_cast<ELF64LEObjectFile>(file->get());
  if (!elf)
    return problem(kernel, "is not a 64-bit little-endian ELF object");
  FlatCode code{{}, 0};
  Expected<Layout> layout = layOut(*elf, kernel, code.bytes);
  if (!layout)
    return layout.takeError();
  if (Error error = relocate(*elf, *layout, kernel, code.bytes))
    return error;
  for (SymbolRef symbol : elf->symbols()) {
    Expected<StringRef> name = symbol.getName();
    if (!name)
      return name.takeError();
    if (*name != kernel)
      continue;
    Expected<uint64_t> entry = positionOf(*elf, symbol, *layout, kernel);
    if (!entry)
      return entry.takeError();
    code.entry = *entry;
    return code;
  }
  return problem(kernel, "is missing from its own object");
}
