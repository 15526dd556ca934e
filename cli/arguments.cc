#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "cli/failure.h"

namespace pp::cli {

struct Arguments::State {
    CLI::App app;
    std::string verb;
    std::map<std::string, bool> takes_value;  ///< by name with its dashes
    std::vector<std::string> options;
};

Arguments::Arguments(const std::string& verb, const std::string& summary)
    : state_{std::make_unique<State>()} {
    state_->verb = verb;
    state_->app.description(summary);
    state_->app.name("pp " + verb);
    declare("-h,--help", false);
}

Arguments::~Arguments() = default;

void Arguments::declare(const std::string& names, bool takes_value) {
    std::size_t begin = 0;
    while (begin <= names.size()) {
        const auto end = std::min(names.find(',', begin), names.size());
        const auto name = names.substr(begin, end - begin);
        state_->takes_value[name] = takes_value;
        state_->options.push_back(name);
        begin = end + 1;
    }
}

void Arguments::flag(const std::string& names, bool& value, const std::string& help) {
    declare(names, false);
    state_->app.add_flag(names, value, help);
}

void Arguments::option(const std::string& names, std::optional<std::string>& value, const std::string& meta,
                       const std::string& help) {
    declare(names, true);
    // a later one counts, as everywhere; an empty value is a value
    state_->app
        .add_option_function<std::string>(
            names, [&value](const std::string& given) { value = given; }, help)
        ->type_name(meta)
        ->take_last();
}

void Arguments::option(const std::string& names, std::vector<std::string>& values, const std::string& meta,
                       const std::string& help) {
    declare(names, true);
    state_->app.add_option(names, values, help)->type_name(meta)->expected(1)->take_all();
}

void Arguments::positional(const std::string& meta, std::optional<std::string>& value,
                           const std::string& help) {
    state_->app
        .add_option_function<std::string>(
            meta, [&value](const std::string& given) { value = given; }, help)
        ->type_name("");
}

void Arguments::positional(const std::string& meta, std::vector<std::string>& values,
                           const std::string& help) {
    state_->app.add_option(meta, values, help)->type_name("");
}

void Arguments::parse(const std::vector<std::string>& words) {
    try {
        state_->app.parse(std::vector<std::string>{words.rbegin(), words.rend()});
    } catch (const CLI::CallForHelp&) {
        throw HelpAsked{state_->app.help(), state_->options};
    } catch (const CLI::ParseError& error) {
        throw Failure{Exit::usage,
                      std::string{error.what()} + " (pp " + state_->verb + " --help tells what it takes)"};
    }
}

bool Arguments::takes_next_word(const std::string& word) const {
    if (word.find('=') != std::string::npos) return false;
    if (word.starts_with("--")) {
        const auto found = state_->takes_value.find(word);
        return found != state_->takes_value.end() && found->second;
    }
    // a cluster of letters: the first that takes a value has the rest of the word, or the next one
    for (std::size_t i = 1; i < word.size(); ++i) {
        const auto found = state_->takes_value.find(std::string{'-', word[i]});
        if (found != state_->takes_value.end() && found->second) return i + 1 == word.size();
    }
    return false;
}

std::size_t Arguments::leading_options(const std::vector<std::string>& words) const {
    std::size_t at = 0;
    while (at < words.size() && words[at].size() > 1 && words[at][0] == '-' && words[at] != "--")
        at += takes_next_word(words[at]) ? 2 : 1;
    return std::min(at, words.size());
}

}  // namespace pp::cli
