#include "protocol/ring/text_export.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "protocol/os/error.h"
#include "protocol/os/unique_fd.h"
#include "protocol/ring/plain_text.h"
#include "protocol/ring/query.h"

namespace pp::ring {
namespace {

constexpr std::size_t kWriteAt = 256u << 10;

/// A file that appears under its name when it is whole, and leaves nothing if it never is.
class NewFile {
  public:
    explicit NewFile(std::string path) : path_{std::move(path)}, beside_{path_ + ".new"} {
        ::unlink(beside_.c_str());  // left by a crash
        fd_.reset(::open(beside_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!fd_) os::throw_errno("open", beside_);
    }
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile() {
        if (fd_) ::unlink(beside_.c_str());
    }

    void write(std::string& text) {
        std::string_view left{text};
        while (!left.empty()) {
            const ssize_t written = ::write(fd_.get(), left.data(), left.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) os::throw_errno("write", beside_);
            left.remove_prefix(static_cast<std::size_t>(written));
        }
        text.clear();
    }
    std::string finish() {
        if (::rename(beside_.c_str(), path_.c_str()) != 0) os::throw_errno("rename", beside_);
        fd_.reset();
        return path_;
    }

  private:
    std::string path_;
    std::string beside_;
    os::UniqueFd fd_;
};

std::string time_prefix(std::int64_t time_ns) {
    if (time_ns == 0) return "[?] ";
    const auto seconds = static_cast<std::time_t>(time_ns / 1'000'000'000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 48> text{};
    const auto used = std::strftime(text.data(), text.size(), "[%Y-%m-%dT%H:%M:%S", &utc);
    std::snprintf(text.data() + used, text.size() - used, ".%03dZ] ", static_cast<int>(time_ns / 1'000'000 % 1000));
    return text.data();
}

/// Puts the time in front of each line, that of its first byte.
class TimedLines {
  public:
    explicit TimedLines(bool times) : times_{times} {}

    void add(std::string_view text, std::int64_t time_ns, std::string& out) {
        if (!times_) {
            out += text;
            return;
        }
        while (!text.empty()) {
            if (at_start_) out += time_prefix(time_ns);
            const auto newline = text.find('\n');
            at_start_ = newline != std::string_view::npos;
            const auto size = at_start_ ? newline + 1 : text.size();
            out += text.substr(0, size);
            text.remove_prefix(size);
        }
    }

  private:
    bool times_;
    bool at_start_ = true;
};

/// One stream of a run into one file. Returns what was lost.
std::uint64_t write_stream(Reader& reader, const TextExport& wanted, const Selection& selection,
                           const RunStretch& stretch, NewFile& file) {
    PlainText plain{{false, 64u << 10}};
    TimedLines lines{wanted.times};
    Tail tail{reader, selection, stretch.begin, stretch.end};
    std::uint64_t lost = 0;
    std::int64_t held_since_ns = 0;  // when the line began that the plain view still holds
    std::string text;
    std::string out;
    while (const auto piece = tail.next()) {
        lost += piece->lost;
        if (wanted.raw) {
            lines.add(piece->text(), piece->time_ns, out);
        } else {
            if (plain.held().empty()) held_since_ns = piece->time_ns;
            plain.feed(piece->text(), text, static_cast<std::size_t>(piece->stream));
            const auto first = text.find('\n');
            const auto own = first == std::string::npos ? text.size() : first + 1;
            lines.add(std::string_view{text}.substr(0, own), held_since_ns, out);
            lines.add(std::string_view{text}.substr(own), piece->time_ns, out);
            if (first != std::string::npos) held_since_ns = piece->time_ns;
            text.clear();
        }
        if (out.size() >= kWriteAt) file.write(out);
    }
    plain.finish(text);
    lines.add(text, held_since_ns, out);
    file.write(out);
    return lost;
}

}  // namespace

ExportedText export_text(Reader& reader, const TextExport& wanted) {
    const RunStretch stretch = find_run(reader, wanted.run);
    ExportedText exported;
    exported.run = stretch.run;
    exported.cursor = stretch.end;
    const std::string stem = wanted.directory + "/" + wanted.name + "#" + std::to_string(stretch.run);
    const auto write = [&](StreamChoice stream, const std::string& suffix) {
        NewFile file{stem + suffix};
        const auto lost = write_stream(reader, wanted, {stretch.run, stream}, stretch, file);
        exported.paths.push_back(file.finish());
        return lost;
    };
    exported.lost_bytes = write(StreamChoice::combined, ".combined.log");
    if (stretch.merged) return exported;
    write(StreamChoice::out, ".stdout.log");
    write(StreamChoice::err, ".stderr.log");
    return exported;
}

}  // namespace pp::ring
