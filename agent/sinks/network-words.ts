/** What a failed connection means, in words that lead to the mend. */

/** SERVER stands for the far side: broker, server. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused); is the SERVER running, and is the port right?',
  ENOTFOUND: 'the host name is not known; check its spelling and the name server',
  EAI_AGAIN: 'the name server does not answer',
  ETIMEDOUT: 'no answer in time; is a firewall in between?',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ECONNRESET: 'the SERVER closed the connection',
  EPIPE: 'the SERVER closed the connection',
  CERT_HAS_EXPIRED: "the SERVER's certificate has expired; renew it",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the SERVER's certificate is self-signed; name its authority as caFile",
  SELF_SIGNED_CERT_IN_CHAIN: "the SERVER's authority is not known here; name it as caFile (--ca-file)",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the SERVER's authority is not known here; name it as caFile (--ca-file)",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "the SERVER's authority is not known here; name it as caFile (--ca-file)",
  ERR_TLS_CERT_ALTNAME_INVALID: "the SERVER's certificate is for another host name; use that one in the url",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    'the SERVER wants a client certificate; set certFile and keyFile',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the SERVER does not trust the authority of certFile',
  ERR_SSL_TLSV13_ALERT_UNKNOWN_CA: 'the SERVER does not trust the authority of certFile',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the port does not speak TLS; use its TLS port, or the url without TLS',
};

/** @param code of a Node error; undefined for one that has no words of its own */
export function networkWords(code: unknown, server: string): string | undefined {
  return typeof code === 'string' ? WORDS[code]?.replaceAll('SERVER', server) : undefined;
}
