// A ring, its state page and its heads, as somebody may have left them, asked in every way there is. Nothing crashes, nothing
// goes on for ever, and what is read and what is lost add up. Then a shim goes on with them.
//
// Input: changes to the files of tests/golden (a ring that has wrapped, with two runs), then questions.
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "protocol/ring/plain_text.h"
#include "protocol/ring/query.h"
#include "protocol/ring/superblock.h"
#include "protocol/ring/text_export.h"
#include "protocol/ring/writer.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/scratch.h"

namespace {

using namespace pp;
using fuzz::expect;
using fuzz::Input;

constexpr int kMaxChanges = 64;
constexpr int kMaxPieces = 300;
constexpr std::uint64_t kMaxWritable = 4u << 20;  // a writer maps its ring, and to look at a hole in memory fills it

/// The three files, in memory.
struct Image {
    std::string ring;
    std::string page;
    std::string heads;
    std::uint64_t ring_size = 0;  ///< what lies behind the bytes is a hole
    bool has_page = true;

    ring::StatePageLayout& layout() { return *reinterpret_cast<ring::StatePageLayout*>(page.data()); }
};

std::string golden(const std::string& name) {
    const auto content = os::find_file_content(std::string{PP_GOLDEN_DIR} + "/" + name);
    expect(content.has_value(), "the golden files are there");
    return *content;
}

const Image& whole_image() {
    static const Image kWhole = [] {
        Image image;
        image.ring_size = ring::Geometry::for_capacity(ring::kMinCapacity).file_size();
        image.ring = golden("ring/v1/out.ring");
        image.heads = golden("ring/v1/heads");
        image.page = golden("state/v1/p1.state");
        const auto boot = os::boot_id();
        std::memcpy(image.layout().boot_id, boot.c_str(), boot.size() + 1);
        return image;
    }();
    return kWhole;
}

// Changes --------------------------------------------------------------------------------------------------------------

void overwrite(std::string& file, std::uint64_t offset, std::string_view bytes) {
    if (file.empty()) return;
    offset %= file.size();
    bytes = bytes.substr(0, file.size() - offset);
    file.replace(offset, bytes.size(), bytes);
}

/// Numbers that mean something to a ring are near its ends and its tail, and at the edges of what a word holds.
std::uint64_t take_number(Input& input, Image& image) {
    const auto how = input.take<std::uint8_t>();
    switch (how & 3U) {
        case 0: return input.take<std::uint8_t>();
        case 1: return image.layout().tail + static_cast<std::uint64_t>(std::int64_t{input.take<std::int32_t>()});
        case 2: return std::uint64_t{1} << (how >> 2U) << (input.take<std::uint8_t>() & 1U);
        default: return input.take<std::uint64_t>();
    }
}

std::string_view as_bytes(const std::uint64_t& number) { return {reinterpret_cast<const char*>(&number), sizeof number}; }

void change(Image& image, Input& input) {
    switch (input.take<std::uint8_t>() % 8) {
        case 0: {  // a word of the page behind its identity
            const auto word = 32U + input.take<std::uint16_t>() % 200U;
            return overwrite(image.page, word * 8U, as_bytes(take_number(input, image)));
        }
        case 1: {
            const auto offset = input.take<std::uint16_t>();
            return overwrite(image.page, offset, input.text());
        }
        case 2: {  // a word of a descriptor
            const auto offset = ring::kDescriptorsOffset + input.take<std::uint16_t>() % 256U * 32U;
            const auto field = input.take<std::uint8_t>() % 4U;
            return overwrite(image.ring, offset + field * 8U, as_bytes(take_number(input, image)));
        }
        case 3: {  // a word of a superblock
            const auto which = input.take<std::uint8_t>();
            const auto offset = (which & 1U) * ring::kSuperblockSize + which / 2U % (sizeof(ring::Superblock) / 8U) * 8U;
            return overwrite(image.ring, offset, as_bytes(take_number(input, image)));
        }
        case 4: {  // payload
            const auto offset = input.take<std::uint32_t>();
            const auto data = 2 * ring::kSuperblockSize + 256 * sizeof(ring::Descriptor);
            return overwrite(image.ring, data + offset % ring::kMinCapacity, input.text());
        }
        case 5: {
            const auto offset = input.take<std::uint32_t>();
            return overwrite(image.heads, offset, input.text());
        }
        case 6: {
            const auto size = input.take<std::uint32_t>();
            auto& file = size % 2 == 0 ? image.heads : image.ring;
            file.resize(size / 2 % (file.size() + 1));
            image.ring_size = image.ring.size();
            return;
        }
        default: {  // both say that the ring is of another shape, and it is
            const auto capacity = ring::kMinCapacity << (input.take<std::uint8_t>() & 1U);
            const std::uint64_t descriptors = std::uint64_t{2} << (input.take<std::uint8_t>() & 31U);
            image.layout().geometry = {capacity, descriptors};
            const auto shape = image.page.substr(offsetof(ring::StatePageLayout, geometry), sizeof(ring::Geometry));
            overwrite(image.ring, offsetof(ring::Superblock, geometry), shape);
            overwrite(image.ring, ring::kSuperblockSize + offsetof(ring::Superblock, geometry), shape);
            if (image.layout().geometry.valid()) image.ring_size = image.layout().geometry.file_size();
            return;
        }
    }
}

/// What has a checksum would hardly ever be looked at otherwise.
void make_credible(Image& image) {
    for (auto& slot : image.layout().lifecycles) slot.checksum = ring::checksum(&slot.lifecycle, sizeof slot.lifecycle);
    for (const auto offset : {std::uint64_t{0}, ring::kSuperblockSize}) {
        if (image.ring.size() < offset + sizeof(ring::Superblock)) return;
        ring::Superblock block;
        std::memcpy(&block, image.ring.data() + offset, sizeof block);
        block.checksum = ring::checksum(&block, offsetof(ring::Superblock, checksum));
        std::memcpy(image.ring.data() + offset, &block, sizeof block);
    }
}

Image image_of(Input& input) {
    Image image = whole_image();
    const auto how = input.take<std::uint8_t>();
    image.has_page = (how & 1U) == 0;
    for (int i = 0; i < kMaxChanges && !input.empty() && input.flag(); ++i) change(image, input);
    if ((how & 2U) == 0) make_credible(image);
    return image;
}

ring::Reader::Paths paths() {
    return {fuzz::scratch() / "p1.state", fuzz::scratch() / "out.ring", fuzz::scratch() / "heads"};
}

void put(const Image& image) {
    ::unlink(paths().state.c_str());
    if (image.has_page) fuzz::put(paths().state, image.page);
    fuzz::put(paths().heads, image.heads);
    fuzz::put(paths().ring, image.ring);
    if (image.ring_size > image.ring.size())
        expect(::truncate(paths().ring.c_str(), static_cast<off_t>(image.ring_size)) == 0, "a sparse file is made");
}

// Questions ------------------------------------------------------------------------------------------------------------

struct Question {
    std::uint64_t cursor = 0;
    std::uint64_t until = 0;
    std::int64_t time_ns = 0;
    std::uint32_t run = 0;
    std::uint64_t count = 0;
    ring::Query query;
    ring::Selection selection;
    bool exports = false;  ///< takes its time
};

ring::StreamChoice stream_of(unsigned bits) {
    using enum ring::StreamChoice;
    constexpr std::array kChoices = {combined, out, err, combined};
    return kChoices[bits & 3U];
}

Question question_of(Input& input, Image& image) {
    Question question;
    const auto how = input.take<std::uint16_t>();
    question.cursor = take_number(input, image);
    question.until = take_number(input, image);
    question.time_ns = static_cast<std::int64_t>(take_number(input, image));
    question.run = input.take<std::uint8_t>();
    question.count = take_number(input, image);
    auto& query = question.query;
    if ((how & 1U) != 0) query.cursor = question.cursor;
    if ((how & 2U) != 0) query.lines = question.count;
    if ((how & 4U) != 0) query.since_ns = question.time_ns;
    if ((how & 8U) != 0) query.before_ns = question.time_ns;
    if ((how & 16U) != 0) query.run = static_cast<std::int8_t>(question.run);
    if ((how & 32U) != 0) query.until = question.until;
    query.raw = (how & 64U) != 0;
    query.stream = stream_of(how >> 8U);
    query.max_chars = (how & 128U) != 0 ? question.count : 2000;
    if ((how & 1024U) != 0) question.selection.run = question.run;
    question.selection.stream = query.stream;
    question.exports = (how & 4096U) != 0;
    return question;
}

/// What throws has answered, too.
template <class Action>
void attempt(Action action) {
    try {
        action();
    } catch (const std::runtime_error&) {
    }
}

void read_on(ring::Reader& reader, const Question& question) {
    std::vector<std::byte> buffer(4096 + question.count % 4096);
    auto cursor = question.cursor;
    for (int i = 0; i < kMaxPieces; ++i) {
        const auto read = reader.read(cursor, question.until, buffer);
        expect(read.next == cursor + read.lost + read.size, "what is read and what is lost add up");
        expect(read.size <= buffer.size(), "a read stays within its buffer");
        if (read.next == cursor) break;
        expect(read.next <= question.until, "a read stays within its limit");
        cursor = read.next;
    }
}

void check_chunks(const std::vector<ring::Chunk>& chunks, const Question& question) {
    std::uint64_t last = 0;
    for (const auto& chunk : chunks) {
        expect(chunk.begin >= last && chunk.begin < chunk.end, "chunks are in order and hold something");
        expect(chunk.begin >= question.cursor && chunk.end <= question.until, "chunks are cut to what was asked for");
        last = chunk.end;
    }
}

void follow(ring::Reader& reader, const Question& question) {
    ring::Tail tail{reader, question.selection, question.cursor, question.until};
    auto at = question.cursor;
    for (int i = 0; i < kMaxPieces; ++i) {
        const auto piece = tail.next();
        if (!piece) return;
        expect(piece->begin >= at && piece->cursor == piece->begin + piece->bytes.size(), "a follower goes forward");
        at = piece->cursor;
    }
}

void check_answer(const ring::Answer& answer, const ring::Query& query) {
    if (!query.raw)
        expect(ring::count_characters(answer.text) <= std::max<std::size_t>(std::min(query.max_chars, ring::kMaxCharacters), 1) + 200,
               "an answer keeps to its budget, but for what it says of itself");
    if (query.cursor && answer.more && query.lines != 0)
        expect(answer.cursor > answer.begin || answer.lost_bytes > 0, "a reader gets on");
}

void ask(ring::Reader& reader, const Question& question) {
    attempt([&] {
        const auto bounds = reader.bounds();
        expect(bounds.begin <= bounds.end, "what is there begins before it ends");
    });
    attempt([&] { read_on(reader, question); });
    attempt([&] { check_chunks(reader.chunks(question.cursor, question.until, 500), question); });
    attempt([&] { check_chunks(reader.last_chunks(question.cursor, question.until, 1 + question.count % 500), question); });
    attempt([&] { reader.cursor_at_time(question.time_ns); });
    attempt([&] {
        if (question.cursor <= question.until)
            expect(reader.missing(question.cursor, question.until) <= question.until - question.cursor,
                   "no more is missing than there was");
    });
    attempt([&] { reader.find_run_begin(question.run); });
    attempt([&] { follow(reader, question); });
    attempt([&] { ring::find_line_start(reader, question.selection, question.cursor, question.until, question.count); });
    attempt([&] { ring::find_byte_start(reader, question.selection, question.cursor, question.until, question.count); });
    attempt([&] { ring::measure(reader, question.selection, question.cursor, question.until); });
    attempt([&] { ring::known_runs(reader); });
    attempt([&] { check_answer(ring::query(reader, question.query), question.query); });
    if (!question.exports) return;
    attempt([&] {
        ring::TextExport wanted;
        wanted.directory = fuzz::scratch().path();
        wanted.name = "log";
        wanted.run = question.query.run;
        wanted.times = question.query.lines.has_value();
        wanted.raw = question.query.raw;
        for (const auto& path : ring::export_text(reader, wanted).paths) ::unlink(path.c_str());
    });
}

/// A successor does its work on what it finds. Its checkpoint is whole, wherever what it found said that bytes belong.
void go_on(Input& input) {
    auto writer = ring::Writer::open({paths().state, paths().ring, paths().heads}, 1, ring::kMinCapacity);
    writer.set_generation(1);
    for (int i = 0; i < 4; ++i) {
        writer.begin_run(input.take<std::uint8_t>());
        std::string text(1 + input.take<std::uint16_t>(), 'w');
        writer.append(std::as_bytes(std::span{text}), ring::Stream::out, 7);
    }
    writer.checkpoint(true);
    const os::UniqueFd file{::open(paths().ring.c_str(), O_RDONLY | O_CLOEXEC)};
    expect(ring::find_superblock(file.get()).has_value(), "a ring that was written to can be opened again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{data, size};
    auto image = image_of(input);
    put(image);
    const auto question = question_of(input, image);
    attempt([&] {
        if (auto reader = ring::Reader::find(paths())) ask(*reader, question);
    });
    if (image.ring_size > kMaxWritable) return 0;
    attempt([&] { go_on(input); });
    attempt([&] {
        if (auto reader = ring::Reader::find(paths())) ask(*reader, question);
    });
    return 0;
}
