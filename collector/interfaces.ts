/** Which network interfaces count, so that no byte is counted twice. */

export interface InterfaceChoice {
  /** Names or prefixes ending in `*`; where given, only these count, and the exclusions by default don't apply. */
  readonly include?: readonly string[] | undefined;
  /** Names or prefixes ending in `*`; these never count. */
  readonly exclude?: readonly string[] | undefined;
}

/**
 * Virtual interfaces whose traffic passes a counted one again, or never leaves the host. Tunnels (tun, tap, wg,
 * tailscale) too: their bytes travel encapsulated over a physical interface.
 */
const VIRTUAL =
  /^(?:lo|veth.*|docker.*|br-.*|virbr.*|vnet.*|ifb.*|dummy.*|tun.*|tap.*|wg.*|tailscale.*|utun.*|cni.*|flannel.*|cali.*|cilium.*|lxc.*|lxdbr.*|kube-.*|nodelocaldns|vxlan.*|geneve.*|gre.*|gretap.*|erspan.*|sit\d*|ip6tnl.*|ip6gre.*|ip_vti.*|ip6_vti.*|tunl.*|teql.*|nlmon.*|bonding_masters|ovs-.*|podman.*)$/;

/** Those that a host may have nothing but: counted when no other interface is left (rootless containers). */
const TUNNEL = /^(?:tun|tap|wg|utun|tailscale)/;

function matches(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  );
}

/**
 * The interfaces to be summed up. `lower` are those known to be counted elsewhere: slaves of a bond, VLANs,
 * bridges.
 */
export function chooseInterfaces(
  names: readonly string[],
  choice: InterfaceChoice = {},
  lower: ReadonlySet<string> = new Set(),
): Set<string> {
  const { include, exclude } = choice;
  const allowed = names.filter((name) => !exclude || !matches(name, exclude));
  if (include && include.length > 0) return new Set(allowed.filter((name) => matches(name, include)));
  const chosen = allowed.filter((name) => !VIRTUAL.test(name) && !lower.has(name));
  return new Set(chosen.length > 0 ? chosen : allowed.filter((name) => TUNNEL.test(name)));
}
