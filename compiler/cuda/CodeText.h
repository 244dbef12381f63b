// Text of CUDA C++ under construction: indented lines, braces, and names that occur once.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/Twine.h"

#include <string>

namespace quire::cuda {

class CodeText {
public:
  explicit CodeText(int depth = 0) : depth(depth) {}

  void line(const llvm::Twine &text) {
    text_.append(static_cast<size_t>(2 * depth), ' ');
    text_ += text.str();
    text_ += '\n';
  }
  /// "text {" or a bare "{", and what follows is one level deeper.
  void open(const llvm::Twine &text = "") {
    std::string head = text.str();
    line(head.empty() ? head + "{" : head + " {");
    ++depth;
  }
  void close(const llvm::Twine &behind = "") {
    --depth;
    line("}" + behind);
  }
  /// A loop that the device compiler unrolls: `for (int name = 0; name < count; ++name) {`.
  void openUnrolled(llvm::StringRef name, int64_t count) {
    line("#pragma unroll");
    open("for (int " + name + " = 0; " + name + " < " + llvm::Twine(count) + "; ++" + name + ")");
  }
  /// Lines written at the same depth elsewhere.
  void append(const CodeText &other) { text_ += other.text_; }

  bool empty() const { return text_.empty(); }
  int indentation() const { return depth; }
  const std::string &text() const { return text_; }

private:
  std::string text_;
  int depth;
};

/// Gives out names; the second "dot" becomes "dot2".
class UniqueNames {
public:
  std::string fresh(llvm::StringRef hint) {
    for (int number = 1;; ++number) {
      std::string name = number == 1 ? hint.str() : hint.str() + std::to_string(number);
      if (taken.insert(name).second)
        return name;
    }
  }

private:
  llvm::StringSet<> taken;
};

} // namespace quire::cuda
