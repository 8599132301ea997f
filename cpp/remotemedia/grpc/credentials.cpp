// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/credentials.h"

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "remotemedia/base/error.h"
#include "remotemedia/oip/access_token.h"

namespace remotemedia::detail {
namespace {

std::string content_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (stream && content.find("-----BEGIN ") != std::string::npos) return content;
  throw Error(ErrorCode::invalid_argument, "the TLS file '" + file + "' cannot be read, or is not in PEM");
}

}  // namespace

std::shared_ptr<grpc::ServerCredentials> credentials_of(const WireAccess& access) {
  if (!access.tls) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(access.tls->ca.empty()
                                                ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_key_cert_pairs.push_back({content_of(access.tls->key), content_of(access.tls->certificate)});
  if (!access.tls->ca.empty()) options.pem_root_certs = content_of(access.tls->ca);
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> credentials_of_client(const std::optional<TlsConfig>& tls) {
  if (!tls) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  if (!tls->ca.empty()) options.pem_root_certs = content_of(tls->ca);
  if (!tls->certificate.empty()) options.pem_cert_chain = content_of(tls->certificate);
  if (!tls->key.empty()) options.pem_private_key = content_of(tls->key);
  return grpc::SslCredentials(options);
}

grpc::Status authorization(const WireAccess& access, const grpc::ServerContextBase& context) {
  const auto found = context.client_metadata().find("authorization");
  const std::string_view given = found == context.client_metadata().end()
                                     ? std::string_view()
                                     : std::string_view(found->second.data(), found->second.size());
  if (is_authorized(access.token, given)) return grpc::Status::OK;
  return {grpc::StatusCode::UNAUTHENTICATED, "this worker wants a token: authorization: Bearer TOKEN"};
}

}  // namespace remotemedia::detail
