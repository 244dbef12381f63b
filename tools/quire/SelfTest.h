// SelfTest: the whole way once on this machine: the demo model is compiled, run greedily, and its
// text compared with the text that another implementation wrote from the same weights.
#pragma once

#include <string>

namespace quire::cli {

struct SelfTestResult {
  int code = 0;          ///< exit code: 0 when the text is right
  bool compared = false; ///< false when there was nothing to compare with
  std::string text;      ///< what happened, one line
  std::string fix;
};

SelfTestResult runSelfTest();

} // namespace quire::cli
