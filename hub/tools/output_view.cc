#include "hub/tools/output_view.h"

#include <nlohmann/json.hpp>

#include "hub/tools/views.h"

namespace pp::hub {

void add_output(nlohmann::json& structured, std::string& text, const ring::Answer& answer) {
    structured["output"] = answer.text;
    structured["cursor"] = answer.cursor;
    structured["lost_bytes"] = answer.lost_bytes;
    structured["more"] = answer.more;
    if (answer.lost_bytes > 0)
        text += std::to_string(answer.lost_bytes) + " bytes are lost: overwritten, or refused by the disk.\n";
    if (answer.replaced_bytes > 0)
        text += std::to_string(answer.replaced_bytes) + " bytes were not UTF-8 and are shown as \uFFFD.\n";
    text += quoted_output(answer.text) + "cursor " + std::to_string(answer.cursor) +
            (answer.more ? "; there is more behind it\n" : "\n");
}

nlohmann::json output_properties() {
    return {{"output", {{"type", "string"}}},
            {"cursor", {{"type", "integer"}}},
            {"lost_bytes", {{"type", "integer"}}},
            {"more", {{"type", "boolean"}}}};
}

}  // namespace pp::hub
