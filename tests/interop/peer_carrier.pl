#!/usr/bin/env perl
# Net::SMPP as a carrier: takes binds and messages, sends receipts, enquires; prints counts.
#
#   peer_carrier.pl [--password P] [--receipt-delay-ms N] [--unbind-after N]
#
# Same arguments, counts and bounds as peer_carrier.js.
use strict;
use warnings;
use Getopt::Long;
use IO::Select;
use JSON::PP;
use Net::SMPP;
use POSIX qw(strftime);
use Time::HiRes qw(time);

my %option = (password => 'carrier', 'receipt-delay-ms' => 5, 'unbind-after' => 0);
GetOptions(\%option, 'password=s', 'receipt-delay-ms=i', 'unbind-after=i')
    or die "see the head of this file\n";
my %count = map { $_ => 0 } qw(bound_transmitter bound_receiver bound_transceiver submits wrong_text
    receipts receipts_answered receipts_refused enquire_link_answered enquire_link_received
    unbind_answered unbind_received);
my (@errors, @due, %receives);
my ($ending, $unbound, $deadline) = (0, 0, time + 180);
my %kind = (1 => 'receiver', 2 => 'transmitter', 9 => 'transceiver');
local $| = 1;
$SIG{TERM} = sub { $ending ||= time };
$SIG{PIPE} = 'IGNORE';

my $listener = Net::SMPP->new_listen('127.0.0.1', port => 0, smpp_version => 0x34,
    interface_version => 0x34, system_id => 'perl', async => 1, timeout => undef)
    or die "listen: $!\n";
my $select = IO::Select->new($listener);
print '{"port":', $listener->sockport, "}\n";

sub end {
    print JSON::PP->new->canonical->encode({peer => 'Net::SMPP', role => 'carrier',
        errors => \@errors, map { $_ => $count{$_} + 0 } keys %count}), "\n";
    exit 0;
}

sub forget {
    my ($session) = @_;
    delete $receives{fileno $session};
    $select->remove($session);
    close $session;
}

sub unbind_all {
    return if $unbound++;
    $_->unbind for grep { $_ != $listener } $select->handles;
}

sub take_bind {
    my ($session, $pdu) = @_;
    my $kind = $kind{$pdu->{cmd}};
    my $answer = "bind_${kind}_resp";
    if ($pdu->{password} ne $option{password}) {
        $session->$answer(seq => $pdu->{seq}, status => 0x0e, system_id => 'perl');
        return;
    }
    $count{"bound_$kind"}++;
    $receives{fileno $session} = $session if $kind ne 'transmitter';
    $session->$answer(seq => $pdu->{seq}, system_id => 'perl', sc_interface_version => "\x34");
    print qq({"event":"bound","kind":"$kind"}\n);
    $session->enquire_link;
}

sub take_submit {
    my ($session, $pdu) = @_;
    my $id = ++$count{submits};
    $count{wrong_text}++ if $pdu->{short_message} ne "to $pdu->{destination_addr}";
    $session->submit_sm_resp(seq => $pdu->{seq}, message_id => $id);
    return unless $pdu->{registered_delivery} & 1;
    my $now = strftime('%y%m%d%H%M', gmtime);
    push @due, [time + $option{'receipt-delay-ms'} / 1000, esm_class => 4,
        source_addr => $pdu->{destination_addr}, destination_addr => $pdu->{source_addr},
        short_message => "id:$id sub:001 dlvrd:001 submit date:$now done date:$now "
            . 'stat:DELIVRD err:000 text:',
        receipted_message_id => "$id\0", message_state => "\2"];
}

sub send_due {
    my ($session) = values %receives or return;
    while (@due && $due[0][0] <= time) {
        my (undef, @receipt) = @{shift @due};
        $count{receipts}++;
        $session->deliver_sm(@receipt);
    }
}

sub take {    # one PDU of a session
    my ($session) = @_;
    $! = 0;    # Net::SMPP reads again for ever on an old EINTR
    my $pdu = $session->read_pdu or return forget($session);
    my $command = $pdu->{cmd};
    if ($kind{$command}) {
        take_bind($session, $pdu);
    } elsif ($command == 4) {
        take_submit($session, $pdu);
    } elsif ($command == 0x80000005) {
        $count{$pdu->{status} ? 'receipts_refused' : 'receipts_answered'}++;
        unbind_all() if $count{receipts_answered} == $option{'unbind-after'};
    } elsif ($command == 0x15) {
        $count{enquire_link_received}++;
        $session->enquire_link_resp(seq => $pdu->{seq});
    } elsif ($command == 0x80000015) {
        $count{enquire_link_answered}++ unless $pdu->{status};
    } elsif ($command == 6) {
        $count{unbind_received}++;
        $session->unbind_resp(seq => $pdu->{seq});
        forget($session);
    } elsif ($command == 0x80000006) {
        $count{unbind_answered}++ unless $pdu->{status};
        forget($session);
    } else {
        push @errors, sprintf 'unexpected command 0x%08x', $command;
    }
}

while (time < $deadline) {
    for my $ready ($select->can_read(0.005)) {
        if ($ready == $listener) {
            my $session = $listener->accept or next;
            $select->add($session);
        } else {
            take($ready);
        }
    }
    send_due();
    next unless $ending;
    unbind_all();
    last if $select->count == 1 || time > $ending + 3;
}
end();
