#include "cli/line_filter.h"

#include <re2/re2.h>

#include "cli/failure.h"

namespace pp::cli {

struct LineFilter::State {
    explicit State(const std::string& text) : expression{text, re2::RE2::Quiet} {}
    re2::RE2 expression;
};

LineFilter::LineFilter(const std::string& expression) : state_{std::make_unique<State>(expression)} {
    if (!state_->expression.ok())
        throw Failure{Exit::usage, "--grep is '" + expression + "', which is no regular expression: " +
                                       state_->expression.error() + " (RE2 syntax)"};
}

LineFilter::~LineFilter() = default;

bool LineFilter::matches(std::string_view line) const {
    return re2::RE2::PartialMatch({line.data(), line.size()}, state_->expression);
}

}  // namespace pp::cli
