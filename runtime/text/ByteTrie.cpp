// ByteTrie: see the header. Built level by level from the sorted keys, without recursion.
#include "runtime/text/ByteTrie.h"

#include <algorithm>

namespace quire::text {

ByteTrie::ByteTrie(const std::vector<std::pair<std::string_view, int32_t>> &entries) {
  // Equal keys stay in the order in which they were given.
  std::vector<std::pair<std::string_view, size_t>> sorted;
  sorted.reserve(entries.size());
  for (size_t i = 0; i < entries.size(); ++i)
    sorted.emplace_back(entries[i].first, i);
  std::sort(sorted.begin(), sorted.end());
  struct Range {
    uint32_t node;
    size_t begin, end; ///< Sorted entries below the node.
    size_t depth;
  };
  nodes.emplace_back();
  std::vector<Range> level = {{0, 0, entries.size(), 0}}, next;
  while (!level.empty()) {
    next.clear();
    for (const Range &range : level) {
      size_t i = range.begin;
      // The keys that end here come first in their range.
      for (; i < range.end && sorted[i].first.size() == range.depth; ++i)
        if (range.depth > 0)
          nodes[range.node].value = entries[sorted[i].second].second;
      uint32_t firstChild = static_cast<uint32_t>(nodes.size());
      while (i < range.end) {
        auto labelOf = [&](size_t entry) {
          return static_cast<unsigned char>(sorted[entry].first[range.depth]);
        };
        unsigned char label = labelOf(i);
        size_t groupEnd = i;
        while (groupEnd < range.end && labelOf(groupEnd) == label)
          ++groupEnd;
        uint32_t child = static_cast<uint32_t>(nodes.size());
        nodes.emplace_back().label = label;
        next.push_back({child, i, groupEnd, range.depth + 1});
        i = groupEnd;
      }
      nodes[range.node].firstChild = firstChild;
      nodes[range.node].childCount = static_cast<uint16_t>(nodes.size() - firstChild);
    }
    level.swap(next);
  }
  const Node &root = nodes.front();
  for (uint32_t i = 0; i < root.childCount; ++i)
    rootChildren[nodes[root.firstChild + i].label] = root.firstChild + i;
}

uint32_t ByteTrie::child(uint32_t node, unsigned char label) const {
  uint32_t low = nodes[node].firstChild, end = low + nodes[node].childCount, high = end;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (nodes[middle].label < label)
      low = middle + 1;
    else
      high = middle;
  }
  return low < end && nodes[low].label == label ? low : 0;
}

int32_t ByteTrie::find(std::string_view key) const {
  int32_t found = -1;
  forEachPrefix(key, 0, [&](size_t length, int32_t value) {
    if (length == key.size())
      found = value;
  });
  return found;
}

} // namespace quire::text
