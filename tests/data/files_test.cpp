// Files, OutFile and read_file: errors carry path, operation, reason and, on a full disk, the
// bytes.
#include "data/io/files.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "core/check.h"
#include "data/io/files_testing.h"
#include "data/temp_folder.h"

namespace sv {
namespace {

template <class F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error;
  }
  return Error("no error", Exit::ok);
}

TEST(Files, WrittenBytesAreReadBack) {
  const TempFolder folder;
  {
    OutFile out(real_files(), folder / "a");
    out.write(as_bytes("hello "));
    out.write(as_bytes("there"));
    EXPECT_EQ(out.written(), 11);
    out.sync_and_close();
  }
  EXPECT_EQ(as_text(read_file(folder / "a", 11)), "hello there");
  EXPECT_TRUE(file_exists(folder / "a"));
  remove_file(folder / "a");
  remove_file(folder / "a");
  EXPECT_FALSE(file_exists(folder / "a"));
}

TEST(Files, FullDiskNamesPathNeededAndFreeBytesAndIsAnEnvironmentError) {
  const TempFolder folder;
  FailingFiles failing(2, {Fault::Kind::error, ENOSPC});  // 1 = open, 2 = write
  const Error error = error_of([&] {
    OutFile out(failing, folder / "full");
    out.write(as_bytes("12345"));
  });
  EXPECT_EQ(error.exit, Exit::environment);
  const std::string text = error.what();
  for (const std::string part :
       {"write", "full'", "ENOSPC", "5 bytes are needed", "bytes are free"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in: " << text;
  }
}

TEST(Files, MissingFileIsBadInputAndNamesThePath) {
  const Error error = error_of([] { read_file("no/such/file", 10); });
  EXPECT_EQ(error.exit, Exit::input);
  EXPECT_NE(std::string(error.what()).find("no/such/file"), std::string::npos);
}

TEST(Files, FoldersPipesAndOversizedFilesAreNotRead) {
  const TempFolder folder;
  EXPECT_THROW(read_file(folder.path(), 10), Error);
  EXPECT_THROW(read_file("/dev/zero", 10), Error);
  OutFile out(real_files(), folder / "long");
  out.write(as_bytes("12345"));
  out.sync_and_close();
  EXPECT_THROW(read_file(folder / "long", 4), Error);
}

TEST(Files, InterruptedAndShortCallsAreCarriedThrough) {
  const TempFolder folder;
  for (const Fault fault : {Fault{Fault::Kind::error, EINTR}, Fault{Fault::Kind::short_count}}) {
    for (int n = 1; n < 10; ++n) {
      FailingFiles failing(n, fault);
      OutFile out(failing, folder / "x");
      out.write(as_bytes("some bytes"));
      out.sync_and_close();
      EXPECT_EQ(as_text(read_file(folder / "x", 100, failing)), "some bytes") << n;
    }
  }
}

TEST(Files, MissingParentsAreMade) {
  const TempFolder folder;
  make_folders(folder / "a/b/c");
  make_folders(folder / "a/b/c/");
  EXPECT_NO_THROW(sync_folder(folder / "a/b/c"));
  EXPECT_THROW(sync_folder(folder / "a/x"), Error);
}

TEST(Files, SpaceIsAskedForBeforeARun) {
  const TempFolder folder;
  EXPECT_NO_THROW(require_free(folder.path(), 1));
  const Error error = error_of([&] { require_free(folder.path(), INT64_MAX); });
  EXPECT_EQ(error.exit, Exit::environment);
  EXPECT_NE(std::string(error.what()).find(std::to_string(INT64_MAX)), std::string::npos);
}

TEST(Files, RecordingKeepsCallsInOrder) {
  const TempFolder folder;
  RecordingFiles recording;
  OutFile out(recording, folder / "r");
  out.write(as_bytes("abc"));
  out.sync_and_close();
  rename_file(folder / "r", folder / "s", recording);
  const auto& calls = recording.calls();
  ASSERT_EQ(calls.size(), 5u);
  EXPECT_EQ(calls[1].op, FileCall::Op::write);
  EXPECT_EQ(as_text(calls[1].bytes), "abc");
  EXPECT_EQ(calls[2].op, FileCall::Op::sync);
  EXPECT_EQ(calls[2].path, folder / "r");
  EXPECT_EQ(calls[4].to, folder / "s");
}

TEST(Files, PathsSplitAndJoin) {
  EXPECT_EQ(folder_of("a/b"), "a");
  EXPECT_EQ(folder_of("b"), ".");
  EXPECT_EQ(folder_of("/b"), "/");
  EXPECT_EQ(name_of("a/b"), "b");
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
}

}  // namespace
}  // namespace sv
