// The command line of quire-tune.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quire::tune {

struct Options {
  enum class Part { All, Prepare, Measure, Finish };
  Part part = Part::All;
  std::string bundle;                 ///< folder of the parts; empty: a temporary one
  std::string model;                  ///< directory whose operators are tuned too
  std::vector<std::string> operators; ///< signatures
  std::string target = "cpu";
  std::vector<int64_t> rows{1, 16, 64, 512, 2048};            ///< steps of linears
  std::vector<int64_t> prompts{512, 2048};                    ///< and of attention: a sequence of N,
  std::vector<std::string> decode{"1x2048", "16x2048", "64x2048"}; ///< SEQUENCESxCONTEXT
  bool givenPrompts = false, givenDecode = false; ///< else those within the context are meant
  unsigned candidates = 8; ///< compiled for each step
  double seconds = 60;     ///< of measuring, an operator
  unsigned threads = 0;    ///< of compiling, and of a CPU plan; 0: all cores
  std::string device = "auto";
  std::string output;    ///< folder of schedule files; empty: none is written
  std::string templates; ///< folder of model templates
  std::string html;      ///< file of the report; empty: none
  bool json = false;
  std::string command; ///< the line as it was given, for the record
};

/// Reads the command line. Returns true to go on; otherwise the program ends with `exitCode`.
bool parseOptions(int argc, char **argv, Options &options, int &exitCode);

enum ExitCode : int { kOk = 0, kGeneral = 1, kUsage = 2, kModel = 3, kDevice = 4, kCompile = 6 };

} // namespace quire::tune
