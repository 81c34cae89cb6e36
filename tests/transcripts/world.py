"""The gateway of a transcript with its configuration, its tables and the carriers around it.

  number    carriers, cheapest first         what for
  4479...   carrier, backup                  the transcript's own: it plays both
  4915...   steady                           the check that others are served meanwhile
  3361...   carrier at a loss only           no route
"""
import pathlib

from gateway_process import METRICS_HOST, SMPP_HOST, GatewayProcess, toml_table, write_csv
from peers import Connection, Listener, SteadyCarrier, answer_unbinds, call
from smpp import encode

CARRIERS = ("carrier", "backup", "steady")
RATES = {"carrier": [("234", "0.01"), ("208", "1.00")], "backup": [("234", "0.02")],
         "steady": [("262", "0.01")]}


def parse_settings(words):
    """`client.window=5 carrier.pace="2.5"` as {"client": {"window": 5}, ...}"""
    found = {}
    for word in words:
        key, _, text = word.partition("=")
        table, _, name = key.partition(".")
        found.setdefault(table, {})[name] = text
    return found


class World:
    def __init__(self, binary, folder, settings):
        self.folder, self.settings = pathlib.Path(folder), settings
        self.listeners = {name: Listener() for name in CARRIERS[:2]}
        self.steady = SteadyCarrier()
        self.gateway = GatewayProcess(binary, folder)
        self.connections, self.terminated = {}, False

    def start(self):
        self.write_config()
        self.write_tables()
        self.gateway.start()

    def override(self, table, values):
        return {**values, **self.settings.get(table, {})}

    def carrier_config(self, name):
        """[[carrier]] with its binds; the settings change the first carrier alone."""
        mine = self.override if name == CARRIERS[0] else lambda _, values: values
        timers = {"reconnect_first_seconds": 0.05, "reconnect_max_seconds": 0.2,
                  "unbind_seconds": 1, "drain_seconds": 1}
        bind = {"host": "127.0.0.1", "port": self.port_of(name), "kind": "transceiver",
                "system_id": "tollgate", "password": "secret", "window": 10}
        # Most rules are told with messages to one number.
        carrier = {"name": name, "number_window": 10}
        text = toml_table("[[carrier]]", mine("carrier", carrier))
        text += toml_table("[carrier.timers]", mine("timers", timers))
        text += toml_table("[carrier.dialect]", mine("dialect", {}))
        text += toml_table("[[carrier.bind]]", mine("bind", bind))
        if name == CARRIERS[0] and "bind2" in self.settings:
            text += toml_table("[[carrier.bind]]", mine("bind2", bind))
        return text

    def write_config(self):
        gateway = {"listen": f"{SMPP_HOST}:0", "metrics": f"{METRICS_HOST}:0", "tables": "tables",
                   "drain_seconds": 1}
        shop = {"system_id": "shop", "password": "shop-pw", "enquire_link_seconds": 60}
        text = toml_table("[gateway]", self.override("gateway", gateway))
        text += toml_table("[gateway.limits]", self.override("limits", {}))
        if "journal" in self.settings:
            text += toml_table("[journal]", self.settings["journal"])
        text += toml_table("[[client]]", self.override("client", shop))
        text += toml_table("[[client]]", {"system_id": "other", "password": "other-pw"})
        text += "".join(self.carrier_config(name) for name in CARRIERS)
        self.gateway.config.write_text(text)

    def write_tables(self):
        tables = self.folder / "tables"
        write_csv(tables / "currencies.csv", ["currency", "rate", "as_of"],
                  [["EUR", "1", "2026-01-01"]])
        write_csv(tables / "numbering_plan.csv", ["prefix", "mccmnc"],
                  [["44", "234"], ["49", "262"], ["33", "208"]])
        write_csv(tables / "carriers.csv", ["carrier"], [[name] for name in CARRIERS])
        write_csv(tables / "clients.csv", ["client", "plan"],
                  [["shop", "retail"], ["other", "retail"]])
        write_csv(tables / "rules.csv", ["max_attempts", "min_margin", "on_loss"],
                  [["4", "0", "block"]])
        amount = ["mcc", "price", "currency", "effective_from"]
        for owner, rows in RATES.items():
            write_csv(tables / f"rates/{owner}.csv", amount,
                      [[mcc, price, "EUR", "2020-01-01"] for mcc, price in rows])
        write_csv(tables / "plans/retail.csv", amount,
                  [[mcc, "0.05", "EUR", "2020-01-01"] for mcc in ("234", "262", "208")])

    def address(self):
        return SMPP_HOST, self.gateway.port

    def port_of(self, name):
        return self.steady.listener.port if name == "steady" else self.listeners[name].port

    def check_others(self):
        """Another client gets its message through another carrier, and its receipt."""
        client = call(self.address(), "other client")
        exchange(client, "bind_transceiver",
                 {"system_id": "other", "password": "other-pw", "interface_version": 0x34})
        number = f"4915{client.since * 1000 % 1e8:08.0f}"
        pdu = exchange(client, "submit_sm", {
            "source_addr": "777", "dest_addr_ton": 1, "dest_addr_npi": 1,
            "destination_addr": number, "registered_delivery": 1, "short_message": "still there?"})
        receipt = client.receive()
        if receipt is None or receipt.name != "deliver_sm":
            raise AssertionError(f"other client: {receipt} instead of a receipt")
        if receipt.tlvs.get("receipted_message_id") != pdu.fields["message_id"]:
            raise AssertionError(f"other client: receipt of another message: {receipt}")
        client.send(encode("deliver_sm_resp", {}, sequence=receipt.sequence))
        exchange(client, "unbind", {})
        client.close()

    def stop(self):
        """SIGTERM; everyone answers unbind; the process must end with 0."""
        try:
            if not self.terminated:
                self.gateway.terminate()
            answer_unbinds(self.connections.values(), self.gateway.ended, 15)
            self.gateway.finish()
        finally:
            self.close()

    def close(self):
        self.gateway.kill()
        for connection in self.connections.values():
            connection.close()
        for listener in (*self.listeners.values(), self.steady):
            listener.close()


def exchange(connection: Connection, name, fields):
    """One request, its response with ESME_ROK."""
    connection.send(encode(name, fields, sequence=connection.next_sequence()))
    pdu = connection.receive()
    if pdu is None or pdu.name != name + "_resp" or pdu.status:
        raise AssertionError(f"{connection.name}: {pdu} instead of {name}_resp")
    return pdu
