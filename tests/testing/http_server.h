// A small HTTP/1.1 server on the loopback interface, for tests of downloads.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace lipschitz::testing {

// What is found under one path.
struct HttpPage {
  std::string body;
  // Whether a request for the rest of the body (Range: bytes=N-) is answered
  // with 206 and that, or with the whole body.
  bool ranges = true;
  // The connection is closed after so many bytes of the body that the header
  // promised; negative: never.
  int64_t cut_after = -1;
};

struct HttpRequest {
  std::string path;
  std::string range;  // the header's value; empty: none

  bool operator==(const HttpRequest& other) const {
    return path == other.path && range == other.range;
  }
};

// Answers GET, one request at a time, from a thread of its own; any other path
// is a 404 with a page that says so. Closes every connection after its answer.
class HttpServer {
 public:
  HttpServer();
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // "http://127.0.0.1:PORT".
  std::string url() const;

  void Put(const std::string& path, const HttpPage& page);

  // Every request so far, in order.
  std::vector<HttpRequest> requests() const;

 private:
  void Serve();
  void Answer(int connection);

  int socket_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;  // of the two below
  std::map<std::string, HttpPage> pages_;
  std::vector<HttpRequest> requests_;
  std::thread thread_;
};

}  // namespace lipschitz::testing
