#include "command.hpp"

int main(int argc, char** argv) { return tenon::command::run_command(argc, argv); }
