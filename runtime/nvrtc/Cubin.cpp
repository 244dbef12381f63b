// Implements Cubin.h. Every offset of the file is checked before it is followed.
#include "runtime/nvrtc/Cubin.h"

#include <cstring>
#include <elf.h>
#include <map>
#include <string_view>

namespace quire {
namespace {

/// Attributes of .nv.info with a (symbol, value) pair as payload.
enum Attribute : uint8_t { kFrameSize = 0x11, kRegisterCount = 0x2f };
constexpr uint8_t kSizedValue = 4; ///< format of an attribute: a 16-bit size, then so many bytes
constexpr uint32_t kInfoSection = 0x70000000;

class Reader {
public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes(bytes) {}

  template <class T> bool read(uint64_t offset, T &value) const {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T))
      return false;
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return true;
  }
  bool inside(uint64_t offset, uint64_t size) const {
    return offset <= bytes.size() && size <= bytes.size() - offset;
  }
  /// A string that ends inside [offset, end).
  bool text(uint64_t offset, uint64_t end, std::string_view &value) const {
    if (offset >= end || !inside(offset, end - offset))
      return false;
    const char *start = reinterpret_cast<const char *>(bytes.data()) + offset;
    size_t length = ::strnlen(start, end - offset);
    value = {start, length};
    return length < end - offset;
  }

private:
  std::span<const uint8_t> bytes;
};

Status damaged(const std::string &what) {
  return Status::error(ErrorCode::Corrupt, "not a cubin: " + what);
}

} // namespace

Result<std::vector<CubinKernel>> readCubin(std::span<const uint8_t> cubin) {
  Reader reader(cubin);
  Elf64_Ehdr header;
  if (!reader.read(0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_CUDA)
    return damaged("no 64-bit ELF header for CUDA");
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  for (size_t i = 0; i < sections.size(); ++i)
    if (!reader.read(header.e_shoff + i * sizeof(Elf64_Shdr), sections[i]) ||
        (sections[i].sh_type != SHT_NOBITS &&
         !reader.inside(sections[i].sh_offset, sections[i].sh_size)))
      return damaged("section " + std::to_string(i) + " lies outside the file");
  if (header.e_shstrndx >= sections.size())
    return damaged("it has no section names");
  const Elf64_Shdr &names = sections[header.e_shstrndx];
  auto nameOf = [&](const Elf64_Shdr &section, std::string_view &name) {
    return reader.text(names.sh_offset + section.sh_name, names.sh_offset + names.sh_size, name);
  };

  std::map<uint32_t, CubinKernel> kernels; // by symbol
  std::map<std::string, uint32_t, std::less<>> shared;
  const Elf64_Shdr *symbols = nullptr;
  for (const Elf64_Shdr &section : sections) {
    std::string_view name;
    if (section.sh_type != SHT_NULL && !nameOf(section, name))
      return damaged("a section has no name");
    constexpr std::string_view kShared = ".nv.shared.";
    if (section.sh_type == SHT_SYMTAB)
      symbols = &section;
    if (name.starts_with(kShared))
      shared.emplace(name.substr(kShared.size()), static_cast<uint32_t>(section.sh_size));
    if (section.sh_type != kInfoSection || name != ".nv.info")
      continue;
    for (uint64_t at = section.sh_offset, end = at + section.sh_size; at + 4 <= end;) {
      uint8_t format, attribute;
      uint16_t size;
      if (!reader.read(at, format) || !reader.read(at + 1, attribute) || !reader.read(at + 2, size))
        return damaged("its attributes are cut off");
      at += 4;
      if (format != kSizedValue)
        continue;
      uint32_t symbol, value;
      if (size == 8 && reader.read(at, symbol) && reader.read(at + 4, value)) {
        if (attribute == kRegisterCount)
          kernels[symbol].registers = value;
        if (attribute == kFrameSize)
          kernels[symbol].stackBytes = value;
      }
      at += size;
    }
  }
  if (!symbols || symbols->sh_link >= sections.size())
    return damaged("it has no symbols");
  std::vector<CubinKernel> result;
  const Elf64_Shdr &strings = sections[symbols->sh_link];
  for (auto &[index, kernel] : kernels) {
    Elf64_Sym symbol;
    std::string_view name;
    if ((index + 1) * sizeof(Elf64_Sym) > symbols->sh_size ||
        !reader.read(symbols->sh_offset + index * sizeof(Elf64_Sym), symbol) ||
        !reader.text(strings.sh_offset + symbol.st_name, strings.sh_offset + strings.sh_size, name))
      return damaged("an attribute names no symbol");
    kernel.name = name;
    if (auto found = shared.find(name); found != shared.end())
      kernel.sharedBytes = found->second;
    result.push_back(std::move(kernel));
  }
  return result;
}

} // namespace quire
