// Whether a program is built with a sanitizer that slows it down and holds on to freed memory.
#pragma once

namespace sv {

#if defined(__clang__)
inline constexpr bool kSanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// ThreadSanitizer takes a signal handler that is left by a switch of stacks for one that still
/// runs.
#if defined(__clang__)
inline constexpr bool kThreadSanitized = __has_feature(thread_sanitizer);
#elif defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitized = true;
#else
inline constexpr bool kThreadSanitized = false;
#endif

}  // namespace sv
