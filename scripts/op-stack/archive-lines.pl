#!/usr/bin/perl
# Changes lines of an archive's index as text, so that whatever else stands in them stays as it is. For the smoke.
#
#   archive-lines.pl vary W <FILE        the same records as host W has them: times jittered, order, repetitions
#   archive-lines.pl flip GROUP <FILE    one hex digit of the group's hash is another one
#   archive-lines.pl drop GROUP <FILE    without the group's record
#   archive-lines.pl repeat N <FILE      N times one after the other, with later groups and times; what has one line stays
#   archive-lines.pl times FILE...       every line as "MS <tab> FILE <tab> LINE"; what has no time takes the last one
use strict;
use warnings;

sub vary {
    my ($host) = @_;
    my @lines = <STDIN>;
    for my $at (0 .. $#lines) {
        my $jitter = (($at + 1) * 7919 + $host * 104729) % 1001 - 500;
        $lines[$at] =~ s/("received_(?:unix|at)_ms"\s*:\s*"?)(\d+)/$1 . ($2 + $jitter)/e;
    }
    for (my $at = 0; $at < @lines; $at++) {
        if ($at % 17 == $host && $at + 2 < @lines) {
            print $lines[$at + 1], $lines[$at];    # two change places
            $at++;
        }
        else {
            print $lines[$at];
        }
        print $lines[$at] if $at % 29 == $host && $lines[$at] =~ /\n\z/;    # one stands twice
    }
}

# Whether a line is the group's record, under whatever name its sequence goes.
sub is_of {
    my ($line, $group) = @_;
    return $line =~ /"(?:group_sequence|sequence|group_id)"\s*:\s*"?\Q$group\E\b/;
}

sub flip {
    my ($group) = @_;
    while (my $line = <STDIN>) {
        $line =~ s/("(?:blake3|hash|digest)"\s*:\s*"(?:blake3:)?)(.)/$1 . ($2 eq "0" ? "1" : "0")/e if is_of($line, $group);
        print $line;
    }
}

sub drop {
    my ($group) = @_;
    while (my $line = <STDIN>) {
        print $line unless is_of($line, $group);
    }
}

sub repeat {
    my ($count) = @_;
    my @lines = <STDIN>;
    my ($sequence, $time) = (qr/("(?:group_sequence|sequence|group_id)"\s*:\s*"?)(\d+)/, qr/("received_(?:unix|at)_ms"\s*:\s*"?)(\d+)/);
    my @sequences = map { /$sequence/ ? $2 : () } @lines;
    my @times = map { /$time/ ? $2 : () } @lines;
    my $groups = @lines > 1 ? $sequences[-1] - $sequences[0] + 1 : 0;
    my $ms = $groups ? int(($times[-1] - $times[0]) * $groups / ($groups - 1)) : 0;
    for my $round (0 .. ($groups ? $count : 1) - 1) {
        for my $line (@lines) {
            my $later = $line;
            $later =~ s/$sequence/$1 . ($2 + $round * $groups)/e;
            $later =~ s/$time/$1 . ($2 + $round * $ms)/e;
            print $later;
        }
    }
}

sub times {
    for my $file (@_) {
        open my $lines, '<', $file or die "archive-lines.pl: $file: $!\n";
        my $ms = 0;
        while (my $line = <$lines>) {
            $ms = $1 if $line =~ /"received_(?:unix|at)_ms"\s*:\s*"?(\d+)/;
            print "$ms\t$file\t$line";
        }
    }
}

my %commands = (vary => \&vary, flip => \&flip, drop => \&drop, repeat => \&repeat, times => \&times);
my $command = $commands{ shift // '' } or die "archive-lines.pl: vary, flip, drop, repeat or times\n";
$command->(@ARGV);
