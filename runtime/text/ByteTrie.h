// ByteTrie: a read-only map from byte strings to integers that finds all keys that begin at a given
// place of a text. Nodes are stored breadth first, children side by side and sorted, 12 bytes each.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::text {

class ByteTrie {
public:
  /// Builds from (key, value) pairs in any order; values are not negative. Of equal keys the last
  /// one counts; empty keys are dropped.
  explicit ByteTrie(const std::vector<std::pair<std::string_view, int32_t>> &entries = {});

  bool empty() const { return nodes.size() <= 1; }

  /// Whether any key begins with this byte.
  bool mayStartWith(unsigned char byte) const { return rootChildren[byte] != 0; }

  /// Calls visit(length, value) for every key that is a prefix of text[from..], shortest first.
  template <class Visit> void forEachPrefix(std::string_view text, size_t from, Visit visit) const {
    if (from >= text.size())
      return;
    uint32_t node = rootChildren[static_cast<unsigned char>(text[from])];
    for (size_t i = from + 1; node != 0; ++i) {
      if (nodes[node].value >= 0)
        visit(i - from, nodes[node].value);
      if (i >= text.size())
        return;
      node = child(node, static_cast<unsigned char>(text[i]));
    }
  }

  /// The value of exactly `key`, or -1.
  int32_t find(std::string_view key) const;

private:
  struct Node {
    uint32_t firstChild = 0;
    uint16_t childCount = 0;
    uint8_t label = 0;
    int32_t value = -1;
  };

  uint32_t child(uint32_t node, unsigned char label) const;

  std::vector<Node> nodes; ///< 0 is the root and, as a child, stands for none.
  std::array<uint32_t, 256> rootChildren{};
};

} // namespace quire::text
