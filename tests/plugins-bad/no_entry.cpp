// Has a record but no TENON_PLUGIN.
extern "C" int tenon_plugin_something_else() {
  return 1;
}
