# Who can read the secrets: agenix encrypts them for these. CHANGE both.
let
  # the host's, from /etc/ssh/ssh_host_ed25519_key.pub
  operator = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA host";
  # yours
  you = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA you";
  readers.publicKeys = [
    operator
    you
  ];
in
{
  "op-jwt.age" = readers;
  "op-p2p-key.age" = readers;
  "op-batcher-key.age" = readers;
  "op-proposer-key.age" = readers;
  "l1-rpc.age" = readers;
  "l1-beacon.age" = readers;
}
