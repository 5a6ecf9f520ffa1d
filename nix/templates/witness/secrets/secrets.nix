# Who can read the secrets: agenix encrypts them for these. CHANGE both.
let
  # the host's, from /etc/ssh/ssh_host_ed25519_key.pub
  witness = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA host";
  # yours
  you = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA you";
  readers.publicKeys = [
    witness
    you
  ];
in
{
  "op-jwt.age" = readers;
  "l1-rpc.age" = readers;
  "l1-beacon.age" = readers;
  "relay-url.age" = readers;
  "ec-witness-la.age" = readers;
}
