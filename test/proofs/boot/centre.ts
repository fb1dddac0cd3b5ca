import type { Container, Ran } from '../../support/container.ts';

/** The centre of a fleet on a real Debian: broker, hub and agent, put in place as deploy/broker/README.md and docs/HUB.md say. */

const FLEET = '/root/fleet';
const HUB = 'edgewood-hub';

type Say = (name: string, holds: boolean, figure?: string) => void;

interface Agent {
  readonly host: { readonly id: string };
  readonly sinks: readonly { readonly connected: boolean; readonly outbox: { readonly pending: number } }[];
}

/** @param deb path inside */
export async function proveCentre(container: Container, deb: string, check: Say): Promise<void> {
  const show = (property: string): string =>
    container.run(`systemctl show ${HUB} --value -p ${property}`).out;
  const all = (name: string, lines: string): void => {
    const { code, out } = container.run(`set -e; mkdir -p ${FLEET}; cd ${FLEET}; ${lines}`);
    check(name, code === 0, code === 0 ? '' : out);
  };
  // A Debian of debootstrap's has no /etc/hosts. The id of a host depends on its site.
  all(
    'the package installs for a fleet',
    `echo 127.0.0.1 localhost > /etc/hosts; dpkg -i ${deb} >/dev/null 2>&1
    printf 'site: berlin\\n' > /etc/edgewood/agent.yaml; systemctl restart edgewood`,
  );
  const agent = (): Agent => JSON.parse(container.run('edgewood status --json').out) as Agent;
  await container.until('edgewood status --json', ({ code }) => code === 0);
  const { id } = agent().host;

  all(
    'fleet broker and fleet enroll write what broker, hub and agent need',
    `edgewood fleet broker --out broker --site berlin --tls-name localhost --installed-as /etc/mosquitto/edgewood
    edgewood fleet enroll main --role hub --broker-dir broker --out hub
    edgewood fleet enroll ${id} --site berlin --broker-dir broker --out cred`,
  );
  all(
    'the broker runs with it',
    `cd broker; rm -f /etc/mosquitto/conf.d/edgewood.conf
    install -d -m 750 -g mosquitto /etc/mosquitto/edgewood
    cp mosquitto/* /etc/mosquitto/edgewood/
    chown root:mosquitto /etc/mosquitto/edgewood/*; chmod 640 /etc/mosquitto/edgewood/acl /etc/mosquitto/edgewood/passwords /etc/mosquitto/edgewood/server.key
    mv /etc/mosquitto/edgewood/edgewood.conf /etc/mosquitto/conf.d/
    systemctl restart mosquitto`,
  );
  all(
    'the hub’s unit starts',
    `install -d -m 700 /etc/edgewood/hub; install -m 600 hub/* /etc/edgewood/hub/
    printf 'EDGEWOOD_BROKER=mqtts://localhost:8883\\nEDGEWOOD_SITE=berlin\\n' > /etc/edgewood/hub.env
    cp /usr/share/edgewood/${HUB}.service /etc/systemd/system/; systemctl enable --now ${HUB} 2>/dev/null`,
  );
  const user = container.run(`ps -o user= -p ${show('MainPID')}`).out.trim();
  check('the hub runs as a user of its own', !['', 'root', 'edgewood'].includes(user), user);
  check('systemctl shows its state', show('StatusText') !== '', show('StatusText'));
  all(
    'the agent has its credentials',
    `install -d -m 750 -g edgewood /etc/edgewood/mqtt; install -m 640 -g edgewood cred/* /etc/edgewood/mqtt/
    printf 'interval: 1s\\nsite: berlin\\nsinks:\\n  - {type: mqtt, url: "mqtts://localhost:8883", acknowledge: hub, usernameFile: /etc/edgewood/mqtt/mqtt.user, passwordFile: /etc/edgewood/mqtt/mqtt.password, caFile: /etc/edgewood/mqtt/ca.pem}\\n' > /etc/edgewood/agent.yaml
    systemctl restart edgewood`,
  );
  const settled = async (what: string): Promise<void> => {
    await container.until(`systemctl is-active ${HUB}`, ({ out }) => out === 'active');
    const ran = await container.until('edgewood status --json', ({ code, out }) => {
      if (code !== 0) return false;
      const [sink] = (JSON.parse(out) as Agent).sinks;
      return sink?.connected === true && sink.outbox.pending === 0;
    });
    check(`${what}: all that the agent told is acknowledged by the hub`, ran.code === 0);
  };
  await settled('at first');
  const fleet = (): Ran =>
    container.run(`EDGEWOOD_HUB_STATE_DIR=/var/lib/${HUB} edgewood fleet status --all`);
  const seen = fleet();
  check('fleet status shows the host', seen.code === 0 && seen.out.includes(id), line(seen, id));

  container.run(`systemctl kill -s KILL ${HUB}`);
  await container.until(`systemctl show ${HUB} --value -p NRestarts`, ({ out }) => out === '1');
  container.run('systemctl restart edgewood');
  await settled('the hub was killed');

  container.run(`mkdir -p /run/systemd/system/${HUB}.service.d
    printf '[Service]\\nWatchdogSec=12\\nTimeoutAbortSec=3\\n' > /run/systemd/system/${HUB}.service.d/quick.conf
    systemctl daemon-reload; systemctl restart ${HUB}`);
  container.run(`kill -STOP ${show('MainPID')}`);
  await container.until(`systemctl show ${HUB} --value -p NRestarts`, ({ out }) => out === '1');
  container.run('systemctl restart edgewood');
  await settled('the hub hung, and its watchdog bit');
  container.run(`rm -r /run/systemd/system/${HUB}.service.d; systemctl daemon-reload`);

  await container.powerOff();
  await container.boot();
  await settled('booted anew');
  const again = fleet();
  check('the host is still known', again.code === 0 && again.out.includes(id), line(again, id));
  const stopping = performance.now();
  container.run(`systemctl stop ${HUB}`);
  const seconds = (performance.now() - stopping) / 1000;
  check(
    'the hub stops in time, unforced',
    show('Result') === 'success' && seconds < 20,
    `${seconds.toFixed(1)} s of 20`,
  );
}

const line = ({ out }: Ran, text: string): string => out.split('\n').find((one) => one.includes(text)) ?? out;
