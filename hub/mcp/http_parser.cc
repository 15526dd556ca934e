#include "hub/mcp/http_parser.h"

#include <llhttp/llhttp.h>

#include <algorithm>
#include <cctype>

namespace pp::hub::mcp {
namespace {

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

std::string trimmed(const std::string& text) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

struct HttpParser::State {
    llhttp_t parser{};
    llhttp_settings_t settings{};
    HttpRequest request;
    std::string name;
    std::string value;
    std::size_t head_size = 0;
    int status = 400;
    std::string problem;
    bool keeps_alive = false;
    bool in_request = false;
    bool in_head = true;
    char last_of_head = '\0';
    bool head_pending = false;
    bool request_pending = false;

    static State& of(llhttp_t* parser) { return *static_cast<State*>(parser->data); }

    int refuse(int code, const char* why) {
        status = code;
        problem = why;
        return HPE_USER;
    }

    int add(std::string& to, const char* at, std::size_t size) {
        head_size += size;
        if (head_size > kMaxHead) return refuse(431, "the request's head is larger than 16 KiB");
        to.append(at, size);
        return HPE_OK;
    }

    int end_header() {
        if (name.empty()) return refuse(400, "a header has no name");
        request.headers.emplace_back(lower(name), trimmed(value));
        name.clear();
        value.clear();
        return HPE_OK;
    }

    /// A line of the head that begins with a blank goes on with the one before: llhttp joins them, others do not.
    bool is_folded(std::string_view bytes) {
        for (const char c : bytes) {
            if (last_of_head == '\n' && (c == ' ' || c == '\t')) return true;
            last_of_head = c;
        }
        return false;
    }

    /// What llhttp lets through although it is ambiguous, or not HTTP/1.
    int check_head() {
        if (parser.http_major != 1) return refuse(505, "HTTP/1.0 and HTTP/1.1 are spoken here");
        if (request.count("host") != 1) return refuse(400, "a request has exactly one Host header");
        if (request.has("transfer-encoding") && lower(request.header("transfer-encoding")) != "chunked")
            return refuse(400, "Transfer-Encoding must be chunked");
        if (request.count("transfer-encoding") > 1 || request.count("content-length") > 1)
            return refuse(400, "a header that tells the length stands twice");
        if (parser.upgrade != 0) return refuse(400, "upgrades are not served");
        if (request.has("content-length") && parser.content_length > kMaxBody)
            return refuse(413, "the body is larger than 4 MiB");
        return HPE_OK;
    }
};

HttpParser::HttpParser() : state_{std::make_unique<State>()} {
    auto& settings = state_->settings;
    ::llhttp_settings_init(&settings);
    settings.on_message_begin = [](llhttp_t* parser) {
        State& state = State::of(parser);
        state.request = HttpRequest{};
        state.head_size = 0;
        state.in_request = true;
        return 0;
    };
    settings.on_url = [](llhttp_t* parser, const char* at, std::size_t size) {
        return State::of(parser).add(State::of(parser).request.target, at, size);
    };
    settings.on_header_field = [](llhttp_t* parser, const char* at, std::size_t size) {
        return State::of(parser).add(State::of(parser).name, at, size);
    };
    settings.on_header_value = [](llhttp_t* parser, const char* at, std::size_t size) {
        return State::of(parser).add(State::of(parser).value, at, size);
    };
    settings.on_header_value_complete = [](llhttp_t* parser) { return State::of(parser).end_header(); };
    settings.on_headers_complete = [](llhttp_t* parser) -> int {
        State& state = State::of(parser);
        state.request.method = ::llhttp_method_name(static_cast<llhttp_method_t>(parser->method));
        if (const int error = state.check_head(); error != HPE_OK) return -1;
        state.head_pending = true;
        return HPE_PAUSED;
    };
    settings.on_body = [](llhttp_t* parser, const char* at, std::size_t size) -> int {
        State& state = State::of(parser);
        if (state.request.body.size() + size > kMaxBody) return state.refuse(413, "the body is larger than 4 MiB");
        state.request.body.append(at, size);
        return HPE_OK;
    };
    settings.on_message_complete = [](llhttp_t* parser) -> int {
        State& state = State::of(parser);
        state.keeps_alive = ::llhttp_should_keep_alive(parser) != 0;
        state.request_pending = true;
        return HPE_PAUSED;
    };
    ::llhttp_init(&state_->parser, HTTP_REQUEST, &settings);
    state_->parser.data = state_.get();
}

HttpParser::~HttpParser() = default;

HttpParser::Stop HttpParser::feed(std::string_view bytes, std::size_t& used) {
    State& state = *state_;
    used = 0;
    if (::llhttp_get_errno(&state.parser) == HPE_PAUSED) ::llhttp_resume(&state.parser);
    const llhttp_errno_t error = ::llhttp_execute(&state.parser, bytes.data(), bytes.size());
    const char* position = error == HPE_OK ? nullptr : ::llhttp_get_error_pos(&state.parser);
    used = position == nullptr ? bytes.size() : static_cast<std::size_t>(position - bytes.data());
    if (state.in_head && state.is_folded(bytes.substr(0, used))) {
        state.refuse(400, "a header is folded over lines");
        return Stop::bad;
    }
    if (error == HPE_OK) return Stop::need_more;
    if (error == HPE_PAUSED && state.head_pending) {
        state.head_pending = false;
        state.in_head = false;
        return Stop::head;
    }
    if (error == HPE_PAUSED && state.request_pending) {
        state.request_pending = false;
        state.in_request = false;
        return Stop::request;
    }
    if (state.problem.empty()) {
        state.status = 400;
        state.problem = std::string{"not HTTP: "} + ::llhttp_errno_name(error);
    }
    return Stop::bad;
}

void HttpParser::next() {
    state_->request = HttpRequest{};
    state_->in_head = true;
    state_->last_of_head = '\0';
}

const HttpRequest& HttpParser::request() const { return state_->request; }
HttpRequest HttpParser::take_request() { return std::move(state_->request); }
bool HttpParser::keeps_alive() const { return state_->keeps_alive; }
bool HttpParser::expects_continue() const { return lower(state_->request.header("expect")) == "100-continue"; }
bool HttpParser::in_request() const { return state_->in_request; }
int HttpParser::status() const { return state_->status; }
const std::string& HttpParser::problem() const { return state_->problem; }

}  // namespace pp::hub::mcp
