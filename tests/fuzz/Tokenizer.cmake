# The fuzzer of tokenizer files. Seeds: make_tokenizer_seeds.py FOLDER; run it with
# -dict=tokenizer.dict -max_len=1500 -timeout=25.
find_package(nlohmann_json 3.11 REQUIRED)
quire_fuzzer(QuireTokenizerFuzz TokenizerFuzz.cpp LIBRARIES QuireText)
target_link_libraries(QuireTokenizerFuzz PRIVATE
  $<TARGET_PROPERTY:QuireText,INTERFACE_LINK_LIBRARIES> nlohmann_json::nlohmann_json)
