// ws, socks and worker-timers: mqtt.js loads them for WebSockets, proxies and browsers, none of which edgewood
// speaks. Whoever gets here anyway is told so by name instead of meeting an undefined.
const absent = () => {
  throw new Error('edgewood is built without WebSocket, SOCKS and browser support');
};

module.exports = new Proxy(absent, {
  get: (target, name) => (name === '__esModule' ? undefined : (target[name] ?? absent)),
});
