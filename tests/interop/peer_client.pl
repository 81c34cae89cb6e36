#!/usr/bin/env perl
# Net::SMPP as a client: binds, submits, collects receipts, enquires, unbinds; prints counts.
#
#   peer_client.pl --port N [--host H] [--system-id S] [--password P] [--kind trx|txrx]
#                  [--count N] [--destination PREFIX] [--idle-ms N] [--end unbind|wait]
#
# Same arguments, counts and bounds as peer_client.js.
use strict;
use warnings;
use Getopt::Long;
use IO::Select;
use JSON::PP;
use Net::SMPP;
use Time::HiRes qw(time);

my %option = (host => '127.0.0.1', 'system-id' => 'shop', password => 'shop-pw', kind => 'trx',
    count => 1000, destination => '447946', 'idle-ms' => 0, end => 'unbind');
GetOptions(\%option, 'host=s', 'port=i', 'system-id=s', 'password=s', 'kind=s', 'count=i',
    'destination=s', 'idle-ms=i', 'end=s') or die "see the head of this file\n";
my $window = 10;
my $source = '12345';
my %count = map { $_ => 0 } qw(bound submitted accepted refused receipts delivered unmatched
    duplicates wrong_receipt enquire_link_answered enquire_link_received unbind_answered
    unbind_received);
my @errors;
my (%number_of_sequence, %number_of, %receipt_of);
my $select = IO::Select->new;
my $deadline = time + 120;
local $| = 1;

sub end {
    my ($status) = @_;
    print JSON::PP->new->canonical->encode({peer => 'Net::SMPP', role => 'client',
        kind => $option{kind}, errors => \@errors, map { $_ => $count{$_} + 0 } keys %count}), "\n";
    exit $status;
}

sub fail { push @errors, @_; end(1) }

sub open_session {
    my ($bind) = @_;
    my $session = Net::SMPP->new_connect($option{host}, port => $option{port}, async => 1,
        smpp_version => 0x34, interface_version => 0x34, system_id => $option{'system-id'},
        password => $option{password}, system_type => '', addr_ton => 1, addr_npi => 1,
        source_addr_ton => 0, source_addr_npi => 0, dest_addr_ton => 1, dest_addr_npi => 1)
        or fail("connect: $!");
    my $sequence = $session->$bind();
    my $answer = $session->read_pdu or fail("$bind: no answer");
    fail("${bind}_resp $answer->{status}") if $answer->{status} || $answer->{seq} != $sequence;
    $count{bound}++;
    $select->add($session);
    return $session;
}

sub take_receipt {
    my ($pdu) = @_;
    my ($id) = $pdu->{short_message} =~ /id:(\S*)/;
    my ($stat) = $pdu->{short_message} =~ /stat:(\w+)/;
    $count{receipts}++;
    $count{duplicates}++ if exists $receipt_of{$id};
    $receipt_of{$id} = $pdu->{source_addr};
    $count{delivered}++ if $stat eq 'DELIVRD';
    my $tlv_id = $pdu->{receipted_message_id} // '';
    $tlv_id =~ s/\0$//;
    my $right = ($pdu->{esm_class} & 0x3c) == 4 && $tlv_id eq $id
        && ($pdu->{message_state} // '') eq "\2" && $pdu->{destination_addr} eq $source;
    $count{wrong_receipt}++ unless $right;
}

sub take {    # one PDU of a session
    my ($session) = @_;
    $! = 0;    # Net::SMPP reads again for ever on an old EINTR
    my $pdu = $session->read_pdu;
    if (!$pdu) { $select->remove($session); close $session; return; }
    my $command = $pdu->{cmd};
    if ($command == 0x80000004) {
        my $number = delete $number_of_sequence{$pdu->{seq}};
        if ($pdu->{status}) { $count{refused}++; return; }
        $count{accepted}++;
        $number_of{$pdu->{message_id}} = $number;
    } elsif ($command == 5) {
        take_receipt($pdu);
        $session->deliver_sm_resp(seq => $pdu->{seq}, message_id => '');
    } elsif ($command == 0x15) {
        $count{enquire_link_received}++;
        $session->enquire_link_resp(seq => $pdu->{seq});
    } elsif ($command == 0x80000015) {
        $count{enquire_link_answered}++ unless $pdu->{status};
    } elsif ($command == 6) {
        $count{unbind_received}++;
        $session->unbind_resp(seq => $pdu->{seq});
    } elsif ($command == 0x80000006) {
        $count{unbind_answered}++ unless $pdu->{status};
        $select->remove($session);
        close $session;
    } else {
        push @errors, sprintf 'unexpected command 0x%08x', $command;
    }
}

sub pump {    # until the condition holds; at most $seconds
    my ($seconds, $done) = @_;
    my $until = time + $seconds;
    while (!$done->() && time < $until && $select->count) {
        fail('not done in 120 s') if time > $deadline;
        take($_) for $select->can_read(0.05);
    }
}

my $receiver = open_session($option{kind} eq 'trx' ? 'bind_transceiver' : 'bind_receiver');
my $sender = $option{kind} eq 'trx' ? $receiver : open_session('bind_transmitter');
while ($count{accepted} + $count{refused} < $option{count}) {
    while ($count{submitted} < $option{count} && keys %number_of_sequence < $window) {
        my $number = $option{destination} . sprintf '%06d', $count{submitted}++;
        my $sequence = $sender->submit_sm(source_addr => $source, destination_addr => $number,
            registered_delivery => 1, short_message => "to $number");
        $number_of_sequence{$sequence} = $number;
    }
    my $before = $count{accepted} + $count{refused};
    pump(30, sub { $count{accepted} + $count{refused} > $before });
    fail('no submit_sm_resp') if $count{accepted} + $count{refused} == $before;
}
pump(30, sub { keys %receipt_of >= $count{accepted} });
my @sessions = $select->handles;
$_->enquire_link for @sessions;
pump(5, sub { $count{enquire_link_answered} == @sessions });
pump($option{'idle-ms'} / 1000, sub { 0 });
for my $id (keys %receipt_of) {
    if (!exists $number_of{$id}) { $count{unmatched}++ }
    elsif ($number_of{$id} ne $receipt_of{$id}) { $count{wrong_receipt}++ }
}
push @errors, 'closed by the peer before the end' if $select->count != @sessions;
if ($option{end} eq 'wait') {
    print qq({"event":"waiting"}\n);
} else {
    $_->unbind for $select->handles;
}
pump(60, sub { 0 });
end(@errors ? 1 : 0);
