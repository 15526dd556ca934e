#include <catch2/catch.hpp>

#include "hub/refusal.h"
#include "hub/tools/arguments.h"
#include "hub/tools/tool.h"

using namespace pp::hub;
using nlohmann::json;

namespace {

json schema() {
    return json::parse(R"({"type":"object","properties":{
        "lines":{"type":"integer"},"stream":{"type":"string","enum":["a","b"]},"process":{"type":"string"},
        "options":{"type":"object","properties":{"stdin":{"type":"string"}}}}})");
}

std::string complaint(const json& object, const std::function<void(const Arguments&)>& read) {
    const json known = schema();
    try {
        read(Arguments{object, known});
    } catch (const Refusal& refusal) {
        return refusal.what();
    }
    return "";
}

}  // namespace

TEST_CASE("the list of tools is small enough for every agent", "[hub][tools]") {
    std::size_t core = 2;
    for (const auto& tool : tools()) {
        INFO(tool.name);
        const json listed{{"name", tool.name},
                          {"title", tool.title},
                          {"description", tool.description},
                          {"inputSchema", tool.input_schema},
                          {"outputSchema", tool.output_schema},
                          {"annotations",
                           {{"readOnlyHint", true},
                            {"destructiveHint", true},
                            {"idempotentHint", true},
                            {"openWorldHint", true}}}};
        const auto size = listed.dump().size();
        CHECK(size <= 5 * 1024);
        CHECK(tool.description.size() <= 600);
        if (tool.core) core += size + 1;
    }
    CHECK(core <= 20 * 1024);
}

TEST_CASE("every tool says what it takes and gives, and takes nothing else", "[hub][tools]") {
    for (const auto& tool : tools()) {
        INFO(tool.name);
        CHECK(tool.input_schema.at("type") == "object");
        CHECK(tool.input_schema.at("additionalProperties") == false);
        CHECK(tool.output_schema.at("type") == "object");
        CHECK(tool.run);
        CHECK(find_tool(tool.name) == &tool);
        for (const auto* combiner : {"anyOf", "oneOf", "allOf", "$ref"})
            CHECK_FALSE(tool.input_schema.contains(combiner));
    }
}

TEST_CASE("every reply with output says where to go on, what is lost, and whether there is more", "[hub][tools]") {
    for (const char* name : {"start", "restart", "get_output"}) {
        INFO(name);
        const auto& required = find_tool(name)->output_schema.at("required");
        for (const char* key : {"output", "cursor", "lost_bytes", "more"})
            CHECK(std::find(required.begin(), required.end(), key) != required.end());
    }
}

TEST_CASE("an unknown parameter is refused with the nearest known one", "[hub][tools]") {
    CHECK(complaint({{"lnes", 1}}, [](const auto&) {}) ==
          "there is no parameter 'lnes'; did you mean 'lines'?");
    CHECK(complaint({{"options", {{"stdn", "x"}}}}, [](const auto& a) { (void)a.nested("options"); }) ==
          "there is no parameter 'options.stdn'; did you mean 'options.stdin'?");
}

TEST_CASE("a parameter of the wrong kind is told what it must be", "[hub][tools]") {
    CHECK(complaint({{"lines", -3}}, [](const auto& a) { (void)a.integer("lines", 0, INT64_MAX); }) ==
          "parameter 'lines' must be an integer of 0 or more, but is -3");
    CHECK(complaint({{"lines", 1.5}}, [](const auto& a) { (void)a.integer("lines", 0, 9); }) ==
          "parameter 'lines' must be an integer from 0 to 9, but is 1.5");
    CHECK(complaint({{"stream", "c"}}, [](const auto& a) { (void)a.choice("stream"); }) ==
          "parameter 'stream' must be \"a\" or \"b\", but is \"c\"");
    CHECK(complaint(json::object(), [](const auto& a) { (void)a.target(); }).find("'process' must be") !=
          std::string::npos);
    CHECK(complaint(json::array(), [](const auto&) {}) == "the arguments must be an object");
    CHECK(complaint({{"lines", 2.0}}, [](const auto& a) { CHECK(a.integer("lines", 0, 9) == 2); }).empty());
}
