//! The person's tool. It uses git and ssh-keygen as they are set up, and says which commands it ran.
