#!/usr/bin/perl

# An upstream that takes FastCGI: nginx joins lines of one name for it, and does
# so again after a redirect, when the list of lines is another one.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $t = Aiobs->new;

# answers with its parameters; below /a/ with a redirect to /b/

Aiobs::spew($t->dir . '/fcgi.py', <<'P');
import socket, struct, sys

def read(c, n):
    b = b''
    while len(b) < n:
        d = c.recv(n - len(b))
        if not d:
            raise EOFError
        b += d
    return b

def size(p, k):
    if p[k] & 128:
        return struct.unpack('>I', p[k:k + 4])[0] & 0x7fffffff, k + 4
    return p[k], k + 1

def record(kind, data):
    return struct.pack('>BBHHBx', 1, kind, 1, len(data), 0) + data

s = socket.create_server(('127.0.0.1', int(sys.argv[1])))

def serve(c):
    params = b''
    while True:
        _, kind, _, length, padding = struct.unpack('>BBHHBx', read(c, 8))
        data = read(c, length + padding)[:length]
        if kind == 4:
            params += data
        if kind == 5 and length == 0:
            break
    k, pairs = 0, []
    while k < len(params):
        n, k = size(params, k)
        m, k = size(params, k)
        pairs.append((params[k:k + n] + b'=' + params[k + n:k + n + m]).decode())
        k += n + m
    out = 'X-Accel-Redirect: /b/x\r\n\r\n' if 'URI=/a/x' in pairs \
        else 'Content-Type: text/plain\r\n\r\n' + '\n'.join(pairs) + '\n'
    c.sendall(record(6, out.encode()) + record(6, b'') + record(3, b'\0' * 8))

while True:
    c, _ = s.accept()
    try:
        serve(c)
    except EOFError:
        pass
    c.close()
P

$t->spawn(['/usr/bin/python3', $t->dir . '/fcgi.py', $t->port(2)], log => $t->dir . '/fcgi.log');
Aiobs::wait_for(sub { eval { close $t->connect(2); 1 } }) or BAIL_OUT(Aiobs::slurp($t->dir . '/fcgi.log'));

my $key = $t->key('alice', 'one');

$t->start(<<'E');
aiobs_key_store sqlite:%%DIR%%/keys.db;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    fastcgi_param URI $uri;

    location /a/ { fastcgi_pass 127.0.0.1:%%PORT_2%%; }
    location /b/ { aiobs_llm openai; fastcgi_pass 127.0.0.1:%%PORT_2%%; }
}
server {
    listen 127.0.0.1:%%PORT_3%%;
    aiobs on;
    fastcgi_param URI $uri;

    location /a/ { aiobs_llm openai; fastcgi_pass 127.0.0.1:%%PORT_2%%; }
    location /b/ { aiobs_auth on; aiobs_auth_key $http_x_gw; fastcgi_pass 127.0.0.1:%%PORT_2%%; }
}
E

# what the upstream was told of a name, each time it was

sub told {
    my ($r, $name) = @_;
    return join '|', $r->{body} =~ /^HTTP_\Q$name\E=(.*)$/mg;
}

for my $path ('/b/x', '/a/x') {

    # nginx joins them since 1.23; before it they came one by one

    for my $n (1, 2, 3, 12, 40) {
        my $r = $t->get(1, $path, map { ('X-A', $_) } 1 .. $n);
        is($r->{status}, 200, "$path, $n lines of one name");
        is(told($r, 'X_A') =~ s/, /|/gr, join('|', 1 .. $n), 'each is there once');
        is(() = $r->{body} =~ /^HTTP_X_REQUEST_ID=/mg, 1, 'and so is the id');
    }
}

# a line that has the key makes room for one of ours: it is no part of the others any more

my $r = $t->get(3, '/a/x', 'X-Gw', $key, 'X-A', 1, 'X-A', "x$key", 'X-A', 3);
is($r->{status}, 200, 'a key behind a redirect');
is(told($r, 'X_USER_ID'), 'alice', 'the user is told');
is(told($r, 'X_A') =~ s/, /|/gr, '1|3', 'what has no key in it is');
unlike($r->{body}, qr/\Q$key\E/, 'and the key is not');

$t->done;
