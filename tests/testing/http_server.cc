#include "tests/testing/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "gtest/gtest.h"

namespace lipschitz::testing {
namespace {

// Everything up to the empty line after the headers; what there is when the
// other side stops sending.
std::string ReadRequest(int connection) {
  std::string request;
  char buffer[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t n = recv(connection, buffer, sizeof(buffer), 0);
    if (n <= 0) break;
    request.append(buffer, static_cast<size_t>(n));
  }
  return request;
}

void Send(int connection, const std::string& bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = send(connection, bytes.data() + sent, bytes.size() - sent,
                           MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<size_t>(n);
  }
}

HttpRequest Parse(const std::string& text) {
  HttpRequest request;
  std::istringstream lines(text);
  std::string method;
  lines >> method >> request.path;
  const std::string header = "Range: ";
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(header, 0) == 0) {
      request.range = line.substr(header.size());
      request.range.erase(request.range.find_last_not_of('\r') + 1);
    }
  }
  return request;
}

std::string Header(const std::string& status, size_t length,
                   const std::string& more = "") {
  return "HTTP/1.1 " + status +
         "\r\nContent-Length: " + std::to_string(length) + "\r\n" + more +
         "Connection: close\r\n\r\n";
}

// The whole answer to a request for a page that is there.
std::string Found(const HttpPage& page, const HttpRequest& request) {
  const size_t size = page.body.size();
  size_t begin = 0;
  std::string header = Header("200 OK", size);
  const std::string from = "bytes=";
  if (page.ranges && request.range.rfind(from, 0) == 0) {
    begin = std::strtoull(request.range.c_str() + from.size(), nullptr, 10);
    const std::string total = std::to_string(size);
    if (begin >= size) {
      return Header("416 Range Not Satisfiable", 0,
                    "Content-Range: bytes */" + total + "\r\n");
    }
    header = Header("206 Partial Content", size - begin,
                    "Content-Range: bytes " + std::to_string(begin) + "-" +
                        std::to_string(size - 1) + "/" + total + "\r\n");
  }
  size_t end = size;
  if (page.cut_after >= 0) {
    end = std::min(size, begin + static_cast<size_t>(page.cut_after));
  }
  return header + page.body.substr(begin, end - begin);
}

}  // namespace

HttpServer::HttpServer() {
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (socket_ < 0 || bind(socket_, any, length) != 0 ||
      listen(socket_, 16) != 0 || getsockname(socket_, any, &length) != 0) {
    ADD_FAILURE() << "no server on the loopback interface";
    return;
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

HttpServer::~HttpServer() {
  stopping_ = true;
  if (socket_ >= 0) shutdown(socket_, SHUT_RDWR);  // wakes accept
  if (thread_.joinable()) thread_.join();
  if (socket_ >= 0) close(socket_);
}

std::string HttpServer::url() const {
  return "http://127.0.0.1:" + std::to_string(port_);
}

void HttpServer::Put(const std::string& path, const HttpPage& page) {
  const std::lock_guard<std::mutex> lock(mutex_);
  pages_[path] = page;
}

std::vector<HttpRequest> HttpServer::requests() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return requests_;
}

void HttpServer::Serve() {
  while (!stopping_) {
    const int connection = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    // A client that says nothing must not keep the test waiting.
    const timeval patience = {10, 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience,
               sizeof(patience));
    Answer(connection);
    close(connection);
  }
}

void HttpServer::Answer(int connection) {
  const HttpRequest request = Parse(ReadRequest(connection));
  std::string answer;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    requests_.push_back(request);
    const auto page = pages_.find(request.path);
    const std::string missing = "<html>there is no such page</html>";
    answer = page == pages_.end()
                 ? Header("404 Not Found", missing.size()) + missing
                 : Found(page->second, request);
  }
  Send(connection, answer);
}

}  // namespace lipschitz::testing
