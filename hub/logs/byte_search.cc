#include "hub/logs/byte_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pp::hub {
namespace {

/// Most of what logs consist of, the commonest first: from logs of servers, builds and package managers.
constexpr std::string_view kCommon = " 0te2s1aindou-r:.l643mcgp\"=f5b9,h78vk/y+_w><x()@j[]z";

double commonness_of(char byte) {
    const auto rank = kCommon.find(byte);
    return rank == std::string_view::npos ? 0.001 : 0.06 * std::pow(0.93, static_cast<double>(rank));
}

bool is_letter(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

char lower(char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte | 0x20) : byte;
}

bool stands_at(const char* place, const Atom& atom) {
    if (!atom.ignore_case) return std::memcmp(place, atom.text.data(), atom.text.size()) == 0;
    return std::equal(atom.text.begin(), atom.text.end(), place, [](char a, char b) { return a == lower(b); });
}

/// A place, or where vectors stopped without one.
struct Found {
    std::size_t place = 0;
    bool found = false;
};

// Without vectors: the C library's memchr is quick everywhere.

/// From a place on, or `until`.
std::size_t find_byte(std::string_view text, std::size_t from, std::size_t until, char byte) {
    const void* const found = from < until ? std::memchr(text.data() + from, byte, until - from) : nullptr;
    return found == nullptr ? until : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

/// The first place in [from, until) where an atom begins, or `until`.
std::size_t find_portable(std::string_view text, std::size_t from, std::size_t until, const Atom& atom) {
    if (text.size() < atom.text.size()) return until;
    const auto places = std::min(until, text.size() - atom.text.size() + 1);
    const auto offset = atom.rare.first;
    const char byte = atom.text[offset];
    while (from < places) {
        auto at = find_byte(text, from + offset, places + offset, byte);
        if (atom.ignore_case && is_letter(byte)) at = find_byte(text, from + offset, at, static_cast<char>(byte ^ 0x20));
        if (at == places + offset) break;
        if (stands_at(text.data() + at - offset, atom)) return at - offset;
        from = at - offset + 1;
    }
    return until;
}

std::size_t find_portable(std::string_view text, std::size_t from, const std::vector<Atom>& atoms) {
    // In windows: else each of them is looked for through all of the text, for each one that is found.
    constexpr std::size_t kWindow = 2048;
    while (from < text.size()) {
        const auto end = std::min(from + kWindow, text.size());
        auto best = end;
        for (const Atom& atom : atoms) best = find_portable(text, from, best, atom);
        if (best < end) return best;
        from = end;
    }
    return text.size();
}

std::size_t find_unplain_portable(std::string_view text, std::size_t from) {
    const auto found = std::find_if(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), [](char byte) {
        return !((byte >= 0x20 && byte < 0x7f) || byte == '\n' || byte == '\t');
    });
    return static_cast<std::size_t>(found - text.begin());
}

#if defined(__x86_64__)

namespace sse2 {
#define PP_VECTOR_CODE inline
using Vector = __m128i;
constexpr std::size_t kWidth = 16;
inline Vector load(const char* text) { return _mm_loadu_si128(reinterpret_cast<const Vector*>(text)); }
inline Vector splat(char byte) { return _mm_set1_epi8(byte); }
inline Vector equal(Vector a, Vector b) { return _mm_cmpeq_epi8(a, b); }
inline Vector both(Vector a, Vector b) { return _mm_and_si128(a, b); }
inline Vector either(Vector a, Vector b) { return _mm_or_si128(a, b); }
inline Vector without(Vector a, Vector b) { return _mm_andnot_si128(b, a); }
inline Vector below_blank(Vector a) { return _mm_cmpgt_epi8(splat(' '), a); }  // signed: all from 0x80 on too
inline std::uint32_t bits(Vector a) { return static_cast<std::uint32_t>(_mm_movemask_epi8(a)); }
#include "hub/logs/vector_search.inc"
#undef PP_VECTOR_CODE
}  // namespace sse2

namespace avx2 {
#define PP_VECTOR_CODE [[gnu::target("avx2")]] inline
using Vector = __m256i;
constexpr std::size_t kWidth = 32;
PP_VECTOR_CODE Vector load(const char* text) { return _mm256_loadu_si256(reinterpret_cast<const Vector*>(text)); }
PP_VECTOR_CODE Vector splat(char byte) { return _mm256_set1_epi8(byte); }
PP_VECTOR_CODE Vector equal(Vector a, Vector b) { return _mm256_cmpeq_epi8(a, b); }
PP_VECTOR_CODE Vector both(Vector a, Vector b) { return _mm256_and_si256(a, b); }
PP_VECTOR_CODE Vector either(Vector a, Vector b) { return _mm256_or_si256(a, b); }
PP_VECTOR_CODE Vector without(Vector a, Vector b) { return _mm256_andnot_si256(b, a); }
PP_VECTOR_CODE Vector below_blank(Vector a) { return _mm256_cmpgt_epi8(splat(' '), a); }
PP_VECTOR_CODE std::uint32_t bits(Vector a) { return static_cast<std::uint32_t>(_mm256_movemask_epi8(a)); }
#include "hub/logs/vector_search.inc"
#undef PP_VECTOR_CODE
}  // namespace avx2

#endif

/// Places where any of the atoms may begin.
std::size_t places_in(std::string_view text, const std::vector<Atom>& atoms) {
    std::size_t longest = 0;
    for (const Atom& atom : atoms) longest = std::max(longest, atom.text.size());
    return text.size() < longest ? 0 : text.size() - longest + 1;
}

}  // namespace

Instructions best_instructions() {
#if defined(__x86_64__)
    static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
    return has_avx2 ? Instructions::avx2 : Instructions::sse2;
#else
    return Instructions::portable;
#endif
}

std::size_t find_unplain(std::string_view text, Instructions instructions) {
    std::size_t from = 0;
#if defined(__x86_64__)
    if (instructions == Instructions::avx2) from = avx2::find_unplain(text.data(), text.size());
    if (instructions == Instructions::sse2) from = sse2::find_unplain(text.data(), text.size());
#endif
    return find_unplain_portable(text, from);
}

Atom::Atom(const std::string& looked_for, bool ignores_case) : text{looked_for}, ignore_case{ignores_case} {
    if (ignore_case) std::transform(text.begin(), text.end(), text.begin(), lower);
    const auto rarest_but = [&](std::size_t other) {
        std::size_t best = other == 0 && text.size() > 1 ? 1 : 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (i != other && commonness_of(lower(text[i])) < commonness_of(lower(text[best]))) best = i;
        }
        return best;
    };
    const auto fold_of = [&](char byte) { return ignore_case && is_letter(byte) ? '\x20' : '\0'; };
    rare.first = rarest_but(SIZE_MAX);
    rare.second = rarest_but(rare.first);
    rare.first_byte = text[rare.first];
    rare.second_byte = text[rare.second];
    rare.first_fold = fold_of(rare.first_byte);
    rare.second_fold = fold_of(rare.second_byte);
    commonness = commonness_of(lower(rare.first_byte)) * (text.size() > 1 ? commonness_of(lower(rare.second_byte)) : 1);
}

AtomFinder::AtomFinder(std::vector<Atom> atoms, Instructions instructions)
    : atoms_{std::move(atoms)}, instructions_{instructions} {
    for (const Atom& atom : atoms_) pairs_.push_back(atom.rare);
}

std::size_t AtomFinder::find(std::string_view text) const {
    Found found;
#if defined(__x86_64__)
    const auto places = places_in(text, atoms_);
    const auto is_there = [&](std::size_t place, std::size_t atom) { return stands_at(text.data() + place, atoms_[atom]); };
    if (instructions_ == Instructions::avx2) found = avx2::find_atoms(text.data(), places, pairs_, is_there);
    if (instructions_ == Instructions::sse2) found = sse2::find_atoms(text.data(), places, pairs_, is_there);
#endif
    return found.found ? found.place : find_portable(text, found.place, atoms_);
}

}  // namespace pp::hub
