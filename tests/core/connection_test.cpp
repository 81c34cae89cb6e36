#include "core/connection.h"

#include <functional>
#include <memory>
#include <random>

#include "core/shard.h"
#include "tests/core/fake_net.h"

namespace tollgate::core {
namespace {

std::string text(Octets octets) {
  return {octets.begin(), octets.end()};
}
Octets octets(const std::string& s) {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

// Frames end with '.'; what is complete is consumed.
struct Lines final : Connection::Owner {
  std::vector<std::string> lines;
  std::vector<std::string> inputs;
  int closed = 0;
  int writable = 0;
  CloseReason reason = CloseReason::by_us;
  std::function<void(Connection&, const std::string&)> on_line;
  std::function<void(Connection&)> when_closed;
  const std::uint8_t* given = nullptr;  // the last input

  std::size_t on_input(Connection& connection, Octets input, const Now&) override {
    inputs.push_back(text(input));
    given = input.data();
    std::size_t at = 0;
    for (std::size_t i = 0; i < input.size(); ++i) {
      if (input[i] != '.') continue;
      if (connection.reading_paused() || !connection.is_open()) break;
      lines.push_back(text(input.subspan(at, i - at)));
      at = i + 1;
      if (on_line) on_line(connection, lines.back());
    }
    return at;
  }
  void on_closed(Connection& connection, CloseReason why, const Now&) override {
    ++closed;
    reason = why;
    if (when_closed) when_closed(connection);
  }
  void on_writable(Connection&, const Now&) override { ++writable; }
};

struct World {
  World() : shard(0, std::unique_ptr<Net>(net), [this] { return now; }), wire(net->wire()) {}
  void connect(const ConnectionLimits& limits = {}, const std::string& leftover = "") {
    const Brought brought{octets(leftover), {}};
    connection = std::make_unique<Connection>(shard, FakeNet::socket(wire), owner, limits, brought);
  }
  void turns(int count = 4) {
    while (count-- > 0) shard.turn();
  }

  Now now{1'000'000, 0};
  FakeNet* net = new FakeNet;
  Shard shard;
  std::shared_ptr<Wire> wire;
  Lines owner;
  std::unique_ptr<Connection> connection;
};

TEST_CASE("input arrives whole however it is split", "[connection]") {
  const std::string stream = "one.two.three..a-rather-long-line.x.";
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    World w;
    w.connect();
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t n = std::min<std::size_t>(1 + random() % 9, stream.size() - at);
      w.wire->incoming.push_back(stream.substr(at, n));
      at += n;
      if (random() % 2 == 0) w.turns(1);
    }
    w.turns(60);
    CHECK(w.owner.lines ==
          std::vector<std::string>{"one", "two", "three", "", "a-rather-long-line", "x"});
    CHECK(w.connection->leftover_size() == 0);
  }
}

TEST_CASE("what is not consumed is given again, in front of what is new", "[connection]") {
  World w;
  w.connect();
  w.wire->incoming = {"ab"};
  w.turns();
  CHECK(w.connection->leftover_size() == 2);
  w.wire->incoming = {"c.d"};
  w.turns();
  CHECK(w.owner.inputs == std::vector<std::string>{"ab", "abc.d"});
  CHECK(w.connection->leftover_size() == 1);
}

TEST_CASE("an idle connection holds no buffer", "[connection]") {
  World w;
  w.connect();
  w.wire->incoming = {"ab"};
  w.turns();
  CHECK(w.shard.buffers().in_use() == 256);
  w.wire->incoming = {"."};
  w.turns();
  CHECK(w.connection->write(octets("answer")));
  CHECK(w.shard.buffers().in_use() > 0);
  w.turns();
  CHECK(w.shard.buffers().in_use() == 0);
  CHECK(sizeof(Connection) <= 512);
}

TEST_CASE("secret input leaves no copy, however it comes and goes", "[connection]") {
  const std::string word = "the-secret-word";
  const auto holds = [&](const std::uint8_t* at, std::size_t length) {
    return text({at, length}).find(word.substr(4, 6)) != std::string::npos;
  };
  for (const bool whole : {false, true}) {
    World w;
    w.connect();
    w.connection->input_is_secret(true);
    w.owner.on_line = [](Connection& c, const std::string&) { c.pause_reading(); };
    if (whole) {
      w.wire->incoming = {"a-long-name:" + word + ".and more"};
    } else {
      w.wire->incoming = {"a-long-name:" + word, "-"};  // kept, and kept again
      w.turns();
      CHECK_FALSE(holds(w.owner.given, 64));  // of the shard's scratch
      w.wire->incoming = {".and more"};
    }
    w.turns();
    REQUIRE(w.owner.lines.size() == 1);
    REQUIRE(w.connection->leftover_size() == 8);
    CHECK_FALSE(holds(w.owner.given, 64));
    w.connection->input_is_secret(false);
    w.owner.on_line = nullptr;
    w.connection->resume_reading();
    w.wire->incoming = {"."};
    w.turns();
    REQUIRE(w.shard.buffers().in_use() == 0);
    const Buffer used = w.shard.buffers().take(256);
    CHECK_FALSE(holds(used.data(), 256));
  }
  World w;
  w.connect();
  w.connection->input_is_secret(true);
  w.wire->incoming = {"a-long-name:" + word};  // and it is destroyed with that
  w.turns();
  w.connection.reset();
  const Buffer used = w.shard.buffers().take(256);
  CHECK_FALSE(holds(used.data(), 256));
}

TEST_CASE("a rest longer than input_max closes with its reason", "[connection]") {
  World w;
  ConnectionLimits limits;
  limits.input_max = 16;
  w.connect(limits);
  w.wire->incoming = {"0123456789abcdef"};
  w.turns();
  CHECK(w.owner.closed == 0);
  w.wire->incoming = {"g"};
  w.turns();
  CHECK(w.owner.closed == 1);
  CHECK(w.owner.reason == CloseReason::input_too_long);
  CHECK(w.wire->closed);
}

TEST_CASE("a rest that was kept while paused is bounded once reading goes on", "[connection]") {
  World w;
  ConnectionLimits limits;
  limits.input_max = 16;
  w.connect(limits);
  w.owner.on_line = [](Connection& connection, const std::string&) { connection.pause_reading(); };
  w.wire->incoming = {"first.0123456789abcdefg"};
  w.turns();
  REQUIRE(w.connection->leftover_size() == 17);  // more than input_max: it is paused
  CHECK(w.owner.closed == 0);
  w.connection->resume_reading();
  w.turns();
  CHECK(w.owner.closed == 1);
  CHECK(w.owner.reason == CloseReason::input_too_long);
}

TEST_CASE("one recv a turn takes at most read_max, and a full one needs no new event",
          "[connection]") {
  World w;
  ConnectionLimits limits;
  limits.read_max = 4;
  w.connect(limits);
  w.wire->incoming = {"aa.bb.cc."};
  w.shard.turn();
  CHECK(w.owner.inputs.size() == 1);
  CHECK_FALSE(w.wire->read_armed);
  CHECK(w.shard.turn());
  CHECK_FALSE(w.shard.turn());
  CHECK(w.owner.lines == std::vector<std::string>{"aa", "bb", "cc"});
  CHECK(w.wire->read_armed);
}

TEST_CASE("pausing keeps the rest and resuming gives it first, without a recv", "[connection]") {
  World w;
  ConnectionLimits limits;
  limits.input_max = 4;
  w.connect(limits);
  w.owner.on_line = [](Connection& c, const std::string&) { c.pause_reading(); };
  w.wire->incoming = {"one.two.three.", "four."};
  w.turns();
  CHECK(w.owner.lines == std::vector<std::string>{"one"});
  CHECK(w.connection->leftover_size() == 10);  // beyond input_max, while paused
  const int recvs = w.wire->recvs;
  w.connection->resume_reading();
  w.turns();
  CHECK(w.owner.lines.size() == 2);
  w.connection->resume_reading();
  w.turns();
  CHECK(w.owner.lines.size() == 3);
  CHECK(w.wire->recvs == recvs);
  w.connection->resume_reading();
  w.turns();
  CHECK(w.owner.lines.size() == 4);
  CHECK(w.owner.closed == 0);
}

TEST_CASE("all output of a turn leaves in one send", "[connection]") {
  World w;
  w.connect();
  w.owner.on_line = [](Connection& c, const std::string& line) { CHECK(c.write(octets(line))); };
  w.wire->incoming = {"a.b.c.d."};
  w.turns();
  CHECK(w.wire->sent == "abcd");
  CHECK(w.wire->sends == 1);
}

TEST_CASE("a cut send waits for writable and loses nothing", "[connection]") {
  World w;
  w.connect();
  w.wire->allowance = 3;
  CHECK(w.connection->write(octets("0123456789")));
  w.turns();
  CHECK(w.wire->sent == "012");
  CHECK(w.wire->sends == 1);  // no send is tried while it is blocked
  CHECK(w.connection->write(octets("ABC")));
  w.turns();
  CHECK(w.wire->sends == 1);
  w.wire->allowance = 4;
  w.turns();
  CHECK(w.wire->sent == "0123456");
  w.wire->allowance = 100;
  w.turns();
  CHECK(w.wire->sent == "0123456789ABC");
  CHECK(w.connection->output_size() == 0);
}

TEST_CASE("a peer that never reads costs output_max and no more", "[connection]") {
  World w;
  ConnectionLimits limits;
  limits.output_max = 10'000;
  limits.high_water = 5'000;
  limits.low_water = 1'000;
  w.connect(limits);
  w.wire->allowance = 0;
  const std::string frame(100, 'x');
  int taken = 0;
  while (taken < 1000 && w.connection->write(octets(frame))) {
    ++taken;
    if (taken == 50) CHECK_FALSE(w.connection->above_high_water());
    if (taken == 51) CHECK(w.connection->above_high_water());
  }
  CHECK(taken == 100);
  CHECK(w.connection->reserve(1).empty());
  CHECK(w.shard.buffers().in_use() <= 16'384);
  w.turns();
  w.wire->allowance = 8'999;
  w.turns();
  CHECK(w.owner.writable == 0);
  w.wire->allowance = 1;
  w.turns();
  CHECK(w.owner.writable == 1);
  w.wire->allowance = 100'000;
  w.turns();
  CHECK(w.owner.writable == 1);
  CHECK(w.wire->sent.size() == 10'000);
}

TEST_CASE("output that rose and fell within one turn still tells on_writable", "[connection]") {
  World w;
  ConnectionLimits limits;
  limits.high_water = 10;
  limits.low_water = 5;
  w.connect(limits);
  CHECK(w.connection->write(octets("0123456789ab")));
  w.turns();
  CHECK(w.owner.writable == 1);
}

TEST_CASE("closing inside on_input: no more input, on_closed once, at the turn's end",
          "[connection]") {
  World w;
  w.connect();
  w.owner.on_line = [&](Connection& c, const std::string&) {
    c.close();
    c.close();
    CHECK(w.owner.closed == 0);
    CHECK_FALSE(c.write(octets("late")));
  };
  w.owner.when_closed = [&](Connection&) { w.connection.reset(); };  // the last call: allowed
  w.wire->incoming = {"a.b.", "c."};
  w.turns();
  CHECK(w.owner.lines == std::vector<std::string>{"a"});
  CHECK(w.owner.closed == 1);
  CHECK(w.owner.reason == CloseReason::by_us);
  CHECK(w.wire->discarded);
  CHECK(w.wire->sent.empty());
}

TEST_CASE("the owner may destroy a closed connection by defer, an open one at any time",
          "[connection]") {
  World w;
  w.connect();
  w.owner.when_closed = [&](Connection&) { w.shard.defer([&] { w.connection.reset(); }); };
  w.wire->ended = true;
  w.turns();
  CHECK(w.owner.reason == CloseReason::by_peer);
  CHECK(w.connection == nullptr);

  w.owner.closed = 0;
  w.wire = w.net->wire();
  w.connect();
  CHECK(w.connection->write(octets("pending")));
  w.wire->incoming = {"x"};
  w.connection.reset();
  w.turns();
  CHECK(w.owner.closed == 0);
  CHECK(w.wire->discarded);
}

TEST_CASE("errors of recv and send close with reason and errno", "[connection]") {
  World w;
  w.connect();
  w.wire->recv_error = ECONNRESET;
  w.turns();
  CHECK(w.owner.reason == CloseReason::read_error);
  CHECK(w.connection->error() == ECONNRESET);

  w.wire = w.net->wire();
  w.connect();
  w.wire->send_error = EPIPE;
  CHECK(w.connection->write(octets("x")));
  w.turns();
  CHECK(w.owner.reason == CloseReason::write_error);
  CHECK(w.connection->error() == EPIPE);
  CHECK(w.owner.closed == 2);
}

TEST_CASE("close_after_flush sends all, shuts, discards input until the peer closes",
          "[connection]") {
  World w;
  w.connect();
  w.owner.on_line = [](Connection& c, const std::string&) {
    CHECK(c.write(octets("goodbye")));
    c.close_after_flush();
    CHECK_FALSE(c.write(octets("more")));
  };
  w.wire->allowance = 3;
  w.wire->incoming = {"end.", "nor this."};
  w.turns();
  CHECK_FALSE(w.wire->shut);
  w.wire->allowance = 100;
  w.turns();
  CHECK(w.wire->sent == "goodbye");
  CHECK(w.wire->shut);
  CHECK(w.wire->incoming.empty());
  CHECK(w.owner.closed == 0);
  w.wire->ended = true;
  w.turns();
  CHECK(w.owner.closed == 1);
  CHECK(w.owner.reason == CloseReason::by_us);
  CHECK(w.owner.lines == std::vector<std::string>{"end"});
}

TEST_CASE("close_after_flush ends after 5 s, whatever the peer does", "[connection]") {
  for (const bool reads : {false, true}) {
    World w;
    w.connect();
    w.wire->allowance = reads ? 100 : 0;
    CHECK(w.connection->write(octets("goodbye")));
    w.connection->close_after_flush();
    w.turns();
    w.now.mono_us += 4'990'000;
    w.turns();
    CHECK(w.owner.closed == 0);
    w.now.mono_us += 20'000;
    w.turns();
    CHECK(w.owner.closed == 1);
    CHECK(w.owner.reason == (reads ? CloseReason::by_us : CloseReason::flush_timeout));
  }
}

TEST_CASE("a handover takes descriptor and rest, and calls nobody", "[connection]") {
  World w;
  w.connect();
  w.owner.on_line = [](Connection& c, const std::string&) { c.pause_reading(); };
  w.wire->incoming = {"bind.next.par"};
  w.turns();
  const Handover handover = w.connection->release_for_handover();
  CHECK(handover.fd == 42);
  CHECK(text(handover.leftover) == "next.par");
  CHECK_FALSE(w.connection->is_open());
  w.turns();
  w.connection.reset();
  CHECK(w.owner.closed == 0);
  CHECK(w.shard.buffers().in_use() == 0);

  World home;
  home.connect({}, text(handover.leftover));
  home.turns(1);
  CHECK(home.owner.lines == std::vector<std::string>{"next"});
  home.wire->incoming = {"t."};
  home.turns();
  CHECK(home.owner.lines == std::vector<std::string>{"next", "part"});
}

TEST_CASE("a handover carries what is unsent: it leaves first, in order", "[connection]") {
  World w;
  w.connect();
  w.owner.on_line = [](Connection& c, const std::string&) { c.pause_reading(); };
  w.wire->allowance = 3;
  REQUIRE(w.connection->write(octets("answers")));
  w.wire->incoming = {"bind.next."};
  w.turns();
  CHECK(w.wire->sent == "ans");
  w.shard.shut_gate(1);  // and some of it waits for the disk, for others' sake
  REQUIRE(w.connection->write(octets("held")));
  w.turns(1);
  const Handover handover = w.connection->release_for_handover();
  CHECK(text(handover.leftover) == "next.");
  CHECK(text(handover.unsent) == "wersheld");
  w.shard.open_gate(1);
  w.turns();
  w.connection.reset();
  CHECK(w.shard.buffers().in_use() == 0);

  World home;
  ConnectionLimits least;
  least.output_max = 4;  // what was owed before is owed still
  home.connection = std::make_unique<Connection>(home.shard, FakeNet::socket(home.wire), home.owner,
                                                 least, Brought{{}, handover.unsent});
  CHECK_FALSE(home.connection->write(octets("bound")));
  home.turns(1);
  CHECK(home.wire->sent == "wersheld");
  CHECK(home.connection->write(octets("then")));
  home.turns(1);
  CHECK(home.wire->sent == "wersheldthen");
}

TEST_CASE("a handover of what has ended, or is ending, moves nothing", "[connection]") {
  for (const bool flush : {false, true}) {
    World w;
    w.connect();
    w.wire->allowance = 0;
    REQUIRE(w.connection->write(octets("last")));
    w.turns(1);
    flush ? w.connection->close_after_flush() : w.connection->close();
    CHECK(w.connection->release_for_handover().fd == -1);
    CHECK(w.owner.closed == 0);
    w.now.mono_us += 6'000'000;
    w.turns();
    CHECK(w.owner.closed == 1);
    CHECK(w.owner.reason == (flush ? CloseReason::flush_timeout : CloseReason::by_us));
  }
}

TEST_CASE("shut gate: a turn's output leaves when the gate opens for that turn's mark", "[gate]") {
  World world;
  world.connect();
  world.shard.shut_gate(1);
  REQUIRE(world.connection->write(octets("one")));
  world.turns();
  CHECK(world.wire->sent.empty());
  world.shard.shut_gate(2);
  REQUIRE(world.connection->write(octets("two")));
  world.turns();
  world.shard.open_gate(1);
  world.turns();
  CHECK(world.wire->sent == "one");
  CHECK(world.wire->sends == 1);
  world.shard.open_gate(2);
  world.turns();
  CHECK(world.wire->sent == "onetwo");
  REQUIRE(world.connection->write(octets("three")));  // nothing new was appended: the gate is open
  world.turns(1);
  CHECK(world.wire->sent == "onetwothree");
}

TEST_CASE("shut gate: output of more turns than it tells apart never leaves early", "[gate]") {
  World world;
  world.connect();
  for (std::uint64_t mark = 1; mark <= 50; ++mark) {
    world.shard.shut_gate(mark);
    REQUIRE(world.connection->write(octets("x")));
    world.turns(1);
  }
  for (std::uint64_t mark = 1; mark <= 50; ++mark) {
    world.shard.open_gate(mark);
    world.turns();
    CHECK(world.wire->sent.size() <= mark);
  }
  CHECK(world.wire->sent.size() == 50);
}

TEST_CASE("shut gate: close_after_flush waits for it, close does not", "[gate]") {
  World world;
  world.connect();
  world.shard.shut_gate(7);
  REQUIRE(world.connection->write(octets("last")));
  world.connection->close_after_flush();
  world.turns();
  CHECK_FALSE(world.wire->shut);
  world.shard.open_gate(7);
  world.turns();
  CHECK(world.wire->sent == "last");
  CHECK(world.wire->shut);

  World other;
  other.connect();
  other.shard.shut_gate(7);
  REQUIRE(other.connection->write(octets("never")));
  other.connection->close();
  other.turns();
  CHECK(other.wire->sent.empty());
  CHECK(other.owner.closed == 1);
}

TEST_CASE("random gate, output and socket room: in order, and never ahead of the gate", "[gate]") {
  std::mt19937 random(7);
  World world;
  world.connect();
  std::string expected;
  std::vector<std::size_t> end_of_mark{0};  // octets that were written by each mark's turn
  std::uint64_t open = 0;
  for (int turn = 0; turn < 5'000; ++turn) {
    if (random() % 2 == 0) {
      world.shard.shut_gate(end_of_mark.size());
      end_of_mark.push_back(expected.size());
    }
    const std::string piece(random() % 40, static_cast<char>('a' + turn % 26));
    if (world.connection->write(octets(piece))) expected += piece;
    end_of_mark.back() = expected.size();
    world.wire->allowance = random() % 60;
    world.turns(1);
    if (random() % 3 == 0) open += random() % (end_of_mark.size() - open);
    world.shard.open_gate(open);
    world.turns(1);
    REQUIRE(world.wire->sent.size() <= end_of_mark[open]);
  }
  world.wire->allowance = 1'000'000;
  world.shard.open_gate(end_of_mark.size());
  world.turns(8);
  CHECK(world.wire->sent == expected);
}

TEST_CASE("random output and random socket room: the octets arrive in order", "[connection]") {
  std::mt19937 random(11);
  for (int round = 0; round < 50; ++round) {
    World w;
    ConnectionLimits limits;
    limits.output_max = 4'000;
    w.connect(limits);
    w.wire->allowance = 0;
    std::string expected;
    for (int step = 0; step < 300; ++step) {
      const std::string part(1 + random() % 300, static_cast<char>('a' + step % 26));
      if (w.connection->write(octets(part))) expected += part;
      CHECK(w.connection->output_size() <= 4'000);
      if (random() % 3 == 0) w.wire->allowance += random() % 500;
      if (random() % 2 == 0) w.turns(1);
    }
    w.wire->allowance = 1'000'000;
    w.turns();
    CHECK(w.wire->sent == expected);
  }
}

}  // namespace
}  // namespace tollgate::core
