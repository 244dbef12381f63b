// Both trace formats, and that what is wrong with a trace is named with its line.
#include "runtime/simulate/Trace.h"

#include <gtest/gtest.h>

#include <limits>

using namespace quire;

static const std::string kHeader = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

static std::string azureError(const std::string &lines) {
  Result<Trace> trace = parseAzureTrace(lines, "t.csv");
  return trace.isOk() ? "no error" : trace.status().message();
}

static std::string mooncakeError(const std::string &lines) {
  Result<Trace> trace = parseMooncakeTrace(lines, "t.jsonl");
  return trace.isOk() ? "no error" : trace.status().message();
}

TEST(Trace, ReadsAzureAcrossTheEndOfALeapDay) {
  Result<Trace> trace = readTrace(std::string(QUIRE_TRACES) + "/two.csv");
  ASSERT_TRUE(trace.isOk()) << trace.status().message();
  ASSERT_EQ(trace->requests.size(), 2u);
  EXPECT_EQ(trace->requests[0].arrival, 0);
  EXPECT_EQ(trace->requests[1].arrival, 50);
  EXPECT_EQ(trace->requests[1].promptTokens, 6);
  EXPECT_EQ(trace->requests[1].newTokens, 2);
  EXPECT_FALSE(trace->hasHashes());
}

TEST(Trace, ReadsMooncake) {
  Result<Trace> trace = readTrace(std::string(QUIRE_TRACES) + "/conversation.jsonl");
  ASSERT_TRUE(trace.isOk()) << trace.status().message();
  ASSERT_EQ(trace->requests.size(), 3u);
  EXPECT_EQ(trace->requests[2].arrival, 180'000'000);
  EXPECT_EQ(trace->hashesOf(trace->requests[1])[1], 2u);
  // Block 0 twice, block 2 once.
  IdealHits ideal = idealHits(*trace);
  EXPECT_EQ(ideal.blocks, 8);
  EXPECT_EQ(ideal.hitBlocks, 3);
  EXPECT_EQ(ideal.tokens, 3200);
  EXPECT_EQ(ideal.hitTokens, 3 * 512);
}

TEST(Trace, PromptsAreEqualWhereBlocksAre) {
  Result<Trace> trace = readTrace(std::string(QUIRE_TRACES) + "/conversation.jsonl");
  ASSERT_TRUE(trace.isOk());
  std::vector<int32_t> first, second;
  trace->writePrompt(trace->requests[1], first);
  trace->writePrompt(trace->requests[2], second);
  ASSERT_EQ(first.size(), 1100u);
  ASSERT_EQ(second.size(), 1500u);
  EXPECT_TRUE(std::equal(first.begin(), first.begin() + 1024, second.begin()));
  EXPECT_NE(first[1024], second[1024]);
  for (int32_t token : second)
    ASSERT_GE(token, 0);
}

TEST(Trace, RateScalesArrivals) {
  Result<Trace> trace = readTrace(std::string(QUIRE_TRACES) + "/conversation.jsonl");
  ASSERT_TRUE(trace.isOk());
  trace->scaleRate(4);
  EXPECT_EQ(trace->requests[2].arrival, 45'000'000);
  trace->scaleRate(std::numeric_limits<double>::infinity());
  EXPECT_EQ(trace->requests[2].arrival, 0);
}

TEST(Trace, NamesFileLineAndValueOfAnError) {
  std::string good = "2023-11-16 18:15:46.5,10,20\n";
  EXPECT_EQ(azureError(kHeader + good + "2023-11-16 18:15:47,0,5\n"),
            "t.csv, line 3: a request needs 1 to 16777216 prompt tokens and new tokens, not 0 and "
            "5");
  EXPECT_EQ(azureError(kHeader + good + "2023-11-16 18:15:46.4,1,5\n"),
            "t.csv, line 3: the request came before the one above it; sort the trace by time");
  EXPECT_EQ(azureError(kHeader + good + "2063-11-16 18:15:46.4,1,5\n"),
            "t.csv, line 3: the request comes more than 31 years after the first one");
  EXPECT_EQ(azureError(kHeader + "2023-13-16 18:15:46,1,5\n"),
            "t.csv, line 2: '2023-13-16 18:15:46' is no time such as 2023-11-16 18:15:46.6805900");
  EXPECT_EQ(azureError(kHeader + "2023-11-16 18:15:46,x,5\n"),
            "t.csv, line 2: the numbers of tokens must be integers");
  EXPECT_EQ(azureError(kHeader + "2023-11-16 18:15:46,5\n"),
            "t.csv, line 2: not three fields with commas between them");
  EXPECT_EQ(azureError(kHeader), "t.csv, line 1: the trace has no request");
  EXPECT_NE(azureError("a,b\n").find("neither a CSV trace"), std::string::npos);

  std::string line = R"({"timestamp": 0, "input_length": 600, "output_length": 1)";
  EXPECT_EQ(mooncakeError(line + "}\n\n" + line + ", \"hash_ids\": [1, 2]}\n"),
            "t.jsonl, line 3: \"hash_ids\" must be an array, in all lines or in none");
  EXPECT_EQ(mooncakeError(line + ", \"hash_ids\": [1, 2]}\n" + line + "}\n"),
            "t.jsonl, line 2: \"hash_ids\" is missing, though the lines above have it");
  EXPECT_EQ(mooncakeError(line + ", \"hash_ids\": [1]}"),
            "t.jsonl, line 1: 600 prompt tokens are 2 blocks of 512, but there are 1 hash_ids");
  EXPECT_EQ(mooncakeError(R"({"timestamp": 0, "output_length": 1})"),
            "t.jsonl, line 1: \"input_length\" must be an integer of at least 0");
  EXPECT_EQ(mooncakeError(R"({"timestamp": -1, "input_length": 1, "output_length": 1})"),
            "t.jsonl, line 1: \"timestamp\" must be milliseconds of at least 0");
  EXPECT_NE(mooncakeError(line).find("t.jsonl, line 1: "), std::string::npos);
}
